"""The units of a run's work: how many rows and how much work each is, and who takes which."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from janusdna_cli.reading.chunks import Chunk

__all__ = ["Survey"]


@dataclass
class Survey:
    """All of the work, seen before it is begun.

    Attributes:
        rows: Of each unit.
        costs: Of each unit, in bases of a window read.
    """

    rows: list[int] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, chunks: Iterable[Chunk[Any]]) -> Self:
        """Of the chunks that the work consists of."""
        survey = cls()
        for chunk in chunks:
            if chunk.unit == len(survey.costs):
                survey.costs.append(0.0)
                survey.rows.append(0)
            survey.costs[chunk.unit] += chunk.load.bases
            survey.rows[chunk.unit] += chunk.load.rows
        return survey

    def rows_of(self, units: Iterable[int]) -> int:
        """Rows of some units."""
        return sum(self.rows[unit] for unit in units)

    @property
    def units(self) -> set[int]:
        """All of them."""
        return set(range(len(self.costs)))

    def share(self, units: Collection[int], index: int, count: int) -> set[int]:
        """What one of `count` does of some units: neighbouring ones, of equal cost.

        Args:
            units: What all of them do.
            index: Who, from 0.
            count: Among how many.
        """
        ordered = sorted(units)
        return {ordered[i] for i in _stretch([self.costs[unit] for unit in ordered], index, count)}


def _stretch(costs: Sequence[float], index: int, count: int) -> range:
    """Those whose middle lies in the index-th of `count` equal stretches of all costs laid end to end."""
    least = max(sum(costs), 1.0) * 1e-9  # what costs nothing takes its place, too
    total = sum(costs) + least * len(costs)
    first = last = 0
    middle = 0.0
    for cost in costs:
        owner = min(int((middle + (cost + least) / 2) / total * count), count - 1)  # sums are rounded
        first += owner < index
        last += owner <= index
        middle += cost + least
    return range(first, last)
