"""Stretches of one contig that are asked for piece by piece."""

from __future__ import annotations

from array import array

import numpy as np

from janusdna_cli.corpus.codes import Mask, filled
from janusdna_cli.genome.union import merged

__all__ = ["Stretches"]


class Stretches:
    """Stretches in any order, 16 bytes each; those that overlap or touch become one when asked for."""

    def __init__(self) -> None:
        self._added: tuple[array[int], array[int]] = (array("q"), array("q"))
        self._merged = False
        self._starts = self._ends = np.zeros(0, np.int64)

    def add(self, start: int, end: int) -> None:
        """Add the bases of [start, end), 0-based; one of no bases is none."""
        if start < end:
            self._added[0].append(start)
            self._added[1].append(end)
            self._merged = False

    def mask(self, start: int, end: int) -> Mask:
        """Which bases of [start, end) lie in one, (end - start,)."""
        if not self._merged and self._added[0]:
            self._starts, self._ends = merged(*self._added)
            self._merged = True
        first = np.searchsorted(self._ends, start, side="right")
        some = slice(first, np.searchsorted(self._starts, end))
        starts, ends = (
            np.clip(each[some], start, end) - start for each in (self._starts, self._ends)
        )  # fmt: skip
        return filled(end - start, starts, ends)
