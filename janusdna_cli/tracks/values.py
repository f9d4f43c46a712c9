"""What a track tells of a base, from what the model says of it.

Legend: S strands read, n bases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from janusdna_cli.reading.answers import entropies

__all__ = ["VALUES", "Value"]

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

Value = Literal["logp", "entropy", "p_ref", "p_A", "p_C", "p_G", "p_T"]


def _logp(logp: Floats, codes: Codes) -> Values:
    return _of_reference(logp.mean(axis=0, dtype=np.float64), codes)


def _entropy(logp: Floats, codes: Codes) -> Values:
    return entropies(logp)


def _p_ref(logp: Floats, codes: Codes) -> Values:
    return _of_reference(_probabilities(logp), codes)


def _p_of(letter: int, logp: Floats, codes: Codes) -> Values:
    return _probabilities(logp)[:, letter]


def _of_reference(values: Values, codes: Codes) -> Values:
    return values[np.arange(len(codes)), codes]


def _probabilities(logp: Floats) -> Values:
    """Means of the strands', (n, 4)."""
    mean: Values = np.exp(logp, dtype=np.float64).mean(axis=0)
    return mean


# From natural log p over A, C, G, T by each strand, (S, n, 4), and the reference's bases, 0 to 3, (n,).
VALUES: Mapping[str, Callable[[Floats, Codes], Values]] = {
    "logp": _logp,
    "entropy": _entropy,
    "p_ref": _p_ref,
    **{f"p_{letter}": partial(_p_of, number) for number, letter in enumerate("ACGT")},
}
assert tuple(VALUES) == get_args(Value)
