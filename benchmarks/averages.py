"""Means with what is to be said of their uncertainty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
from counts import Floats
from measure import Row

_LEVEL = 0.95


class Mean:
    """A mean over values that come in clusters, such as those of one window, which are alike."""

    def __init__(self) -> None:
        self._sums: list[tuple[float, int]] = []

    def add(self, values: Floats) -> None:
        """Add a cluster; NaN do not count."""
        known = values[np.isfinite(values)]
        if known.size:
            self._sums.append((float(known.sum()), known.size))

    @property
    def number(self) -> int:
        """Of values."""
        return sum(count for _, count in self._sums)

    @property
    def value(self) -> float:
        """The mean; NaN of nothing."""
        return sum(total for total, _ in self._sums) / self.number if self._sums else float("nan")

    @property
    def error(self) -> float | None:
        """Its standard error, of clusters that are drawn at random; None of fewer than two."""
        if len(self._sums) < 2:
            return None
        sums, counts = np.array(self._sums).T
        off = sums - self.value * counts
        return float(np.sqrt(off @ off * len(off) / (len(off) - 1)) / counts.sum())


class Means(defaultdict[tuple[str, ...], Mean]):
    """Means by group."""

    def __init__(self) -> None:
        super().__init__(Mean)

    def rows(self, *names: str, count: str = "substitutions", mean: str = "mean llr") -> list[Row]:
        """A row for each group, the parts of whose name are told by `names`."""
        return [
            dict(zip(names, group, strict=True))
            | {count: found.number, mean: found.value, "standard error": found.error}
            for group, found in self.items()
            if found.number
        ]


def interval(
    values: Floats, statistic: Callable[[Floats], Floats], *, resamples: int, seed: int
) -> tuple[float, float, float]:
    """A statistic along the last axis, and the 95 % interval of a bootstrap of the values (n,)."""
    rng = np.random.default_rng(seed)
    drawn = values[rng.integers(len(values), size=(resamples, len(values)))]
    low, high = np.quantile(statistic(drawn), ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2))
    return float(statistic(values)), float(low), float(high)
