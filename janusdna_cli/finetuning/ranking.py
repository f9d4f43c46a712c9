"""How well a score tells two classes apart: area under the ROC curve, average precision, their uncertainty.

Legend: u distinct scores.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Ranked", "auroc", "average_precision", "with_intervals"]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[Any]

_LEVEL = 0.95


class Ranked(NamedTuple):
    """How many of each class have each distinct score, from the lowest to the highest, (u,) each."""

    positive: Counts
    negative: Counts

    @classmethod
    def of(cls, positive: Floats, negative: Floats) -> Ranked:
        """Of the scores of both classes; neither may be empty."""
        distinct, at = np.unique(np.concatenate((positive, negative)), return_inverse=True)
        first, second = at[: len(positive)], at[len(positive) :]
        return cls(np.bincount(first, minlength=len(distinct)), np.bincount(second, minlength=len(distinct)))

    def auroc(self) -> float:
        """How often a positive scores higher than a negative; equal scores count one half."""
        below = np.cumsum(self.negative) - self.negative / 2
        return float(self.positive @ below / (self.positive.sum() * self.negative.sum()))

    def average_precision(self) -> float:
        """Precision at each distinct score from the highest down, by the recall that is gained there."""
        gained = self.positive[::-1]
        found = np.cumsum(gained)
        called = found + np.cumsum(self.negative[::-1])
        return float(gained @ (found / np.maximum(called, 1)) / found[-1])

    def resampled(self, rng: np.random.Generator) -> Ranked:
        """As many of each class again, drawn with replacement."""
        return Ranked(_resampled(self.positive, rng), _resampled(self.negative, rng))


def auroc(positive: Floats, negative: Floats) -> float:
    """Of two classes' scores."""
    return Ranked.of(positive, negative).auroc()


def average_precision(positive: Floats, negative: Floats) -> float:
    """Of two classes' scores; the area under the precision-recall curve."""
    return Ranked.of(positive, negative).average_precision()


def with_intervals(
    positive: Floats, negative: Floats, *, resamples: int, seed: int
) -> dict[str, tuple[float, float, float]]:
    """AUROC and AUPRC, each with the 95 % interval of a bootstrap of each class for itself."""
    rng = np.random.default_rng(seed)
    ranked = Ranked.of(positive, negative)
    drawn = [ranked.resampled(rng) for _ in range(resamples)]
    return {
        "AUROC": (ranked.auroc(), *_interval([one.auroc() for one in drawn])),
        "AUPRC": (ranked.average_precision(), *_interval([one.average_precision() for one in drawn])),
    }


def _resampled(counts: Counts, rng: np.random.Generator) -> Counts:
    each = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(each[rng.integers(len(each), size=len(each))], minlength=len(counts))


def _interval(values: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2))
    return float(low), float(high)
