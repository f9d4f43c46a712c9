"""How much what a model expects changes from one reading to another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["change_of_odds"]

# Of a probability in odds, which would else be without bound.
_LEAST = 1e-6


def change_of_odds(
    before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """The change of log2 odds of the base whose odds change most, of each strand, then averaged.

    Args:
        before: Natural log p over A, C, G, T at some positions by each strand, (S, m, 4).
        after: The same of another reading.

    Returns:
        (m,) in bits, 0 and more.
    """
    moved = np.abs(_log_odds(after) - _log_odds(before)).max(axis=-1)
    mean: npt.NDArray[np.float64] = moved.mean(axis=0)
    return mean


def _log_odds(logp: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Binary logarithms of odds."""
    p = np.clip(np.exp(logp, dtype=np.float64), _LEAST, 1 - _LEAST)
    odds: npt.NDArray[np.float64] = np.log2(p) - np.log2(1 - p)
    return odds
