"""The windows of a grid over intervals, each as often as its bases are wanted.

Intervals that touch are one run, on which windows lie side by side. A window counts as much as its bases
do on average, whichever intervals they lie in. Laid end to end, each as long as it counts, windows make a
line; equal steps along it meet a window of weight 2.5 two times or three, one of 0.1 in one pass of ten.
Nothing is kept but stretches of windows that count alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from janusdna_cli.genome.splits import Interval
from janusdna_cli.genome.windows import Window

__all__ = ["Grid"]

Floats = npt.NDArray[np.float64]

# Of a weight's mean: what is left is rounding.
_DECIMALS = 6


class _Stretch(NamedTuple):
    """Windows side by side that count alike.

    Attributes:
        contig: Its number among the contigs.
        start: Of the first window, 0-based.
        windows: How many.
        weight: Of each.
        end: Of the run that they lie in.
    """

    contig: int
    start: int
    windows: int
    weight: float
    end: int


class Grid:
    """Windows side by side on runs of intervals.

    Args:
        intervals: Where windows may lie, and how often their bases are wanted.
        length: Bases of a window.

    Attributes:
        windows: On the grid.
        steps: Along the line, each of about 1: windows met in a pass.
    """

    def __init__(self, intervals: Iterable[Interval], length: int) -> None:
        self._length = length
        contigs: dict[str, int] = {}
        kinds = [("contig", "i4"), ("start", "i8"), ("windows", "i8"), ("weight", "f8"), ("end", "i8")]
        found = (one for run in _runs(intervals) for one in _stretches(run, length, contigs))
        self._stretches = np.fromiter(found, dtype=kinds)
        self._contigs = list(contigs)
        self._ends = np.cumsum(self._stretches["windows"])
        self._line = np.cumsum(self._stretches["windows"] * self._stretches["weight"])
        self.windows = int(self._ends[-1]) if len(self._ends) else 0
        long = float(self._line[-1]) if len(self._line) else 0.0
        self.steps = max(int(long), 1) if long else 0
        self._pace = long / max(self.steps, 1)

    def window(self, place: int) -> Window:
        """The window at a place of the grid, 0-based."""
        which = int(np.searchsorted(self._ends, place, side="right"))
        return self._at(which, place - int(self._ends[which - 1] if which else 0), 0)

    def met(self, step: int, phase: float, shift: int) -> Window:
        """The window that a step along the line meets.

        Args:
            step: 0-based.
            phase: Where the steps begin, 0 to less than 1; the same window where all count 1.
            shift: Bases by which it begins behind its place; at a run's end less.
        """
        at = (step + phase) * self._pace
        which = min(int(np.searchsorted(self._line, at, side="right")), len(self._line) - 1)
        before = self._line[which - 1] if which else 0.0
        place = int((at - before) / self._stretches["weight"][which])
        return self._at(which, min(place, int(self._stretches["windows"][which]) - 1), shift)

    def _at(self, which: int, place: int, shift: int) -> Window:
        stretch = _Stretch(*self._stretches[which].item())
        start = min(stretch.start + place * self._length + shift, stretch.end - self._length)
        return Window(self._contigs[stretch.contig], start, start + self._length)


def _runs(intervals: Iterable[Interval]) -> Iterator[list[Interval]]:
    """Intervals that touch."""
    run: list[Interval] = []
    for interval in intervals:
        if run and (interval.contig, interval.start) != (run[-1].contig, run[-1].end):
            yield run
            run = []
        run.append(interval)
    if run:
        yield run


def _stretches(run: list[Interval], length: int, contigs: dict[str, int]) -> Iterator[_Stretch]:
    start, end = run[0].start, run[-1].end
    if end - start < length:
        return
    contig = contigs.setdefault(run[0].contig, len(contigs))
    weights = _weights(run, length)
    for first, last in pairwise((0, *(np.flatnonzero(np.diff(weights)) + 1).tolist(), len(weights))):
        yield _Stretch(contig, start + first * length, last - first, float(weights[first]), end)


def _weights(run: list[Interval], length: int) -> Floats:
    """Of each window of the run: the mean over its bases, (windows,)."""
    edges = np.array([run[0].start, *(interval.end for interval in run)], np.float64)
    total = np.concatenate(([0.0], np.cumsum([len(one) * one.weight for one in run])))
    places = np.arange((run[-1].end - run[0].start) // length + 1) * length + run[0].start
    return np.round(np.diff(np.interp(places, edges, total)) / length, _DECIMALS)
