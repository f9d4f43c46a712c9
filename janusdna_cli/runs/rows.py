"""Rows by their numbers in the whole table: from entries and parts, in any order, to the table's order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.schemas import described

__all__ = ["NUMBER", "NUMBER_FIELD", "InOrder", "Rows", "SortedRows", "in_order", "numbered", "numbered_by"]

NUMBER = "row"
NUMBER_FIELD = described(NUMBER, pa.int64(), "number of the row in the whole table, from 0", nullable=False)
_BLOCK_ROWS = 65_536
_SPILL_BYTES = 16 << 20


def numbered(table: pa.Table, first: int) -> pa.Table:
    """A table of neighbouring rows with their numbers as first column."""
    return numbered_by(table, np.arange(first, first + table.num_rows))


def numbered_by(table: pa.Table, numbers: Sequence[int] | npt.NDArray[np.int64]) -> pa.Table:
    """A table with the numbers of its rows as first column."""
    return table.add_column(0, NUMBER_FIELD, pa.array(numbers, pa.int64()))


class Rows(Protocol):
    """Some rows of a table, ascending by number.

    Attributes:
        first: The lowest number.
        last: The highest number.
    """

    first: int
    last: int

    def between(self, start: int, end: int) -> pa.Table:
        """Those whose number is in [start, end)."""
        ...


class SortedRows:
    """Rows of a table whose first column are their numbers, ascending.

    Args:
        table: At least one row.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._numbers: npt.NDArray[np.int64] = table.column(NUMBER).to_numpy()
        self.first, self.last = int(self._numbers[0]), int(self._numbers[-1])

    def between(self, start: int, end: int) -> pa.Table:
        """Those whose number is in [start, end)."""
        first, last = np.searchsorted(self._numbers, (start, end))
        return self._table.slice(first, last - first)


def in_order(parts: Iterable[Rows], start: int, end: int, *, is_whole: bool = True) -> Iterator[pa.Table]:
    """The rows [start, end) of a table, in blocks of which only the last is shorter than others.

    Args:
        parts: Who has them; of one that is there twice (a process may outlive its run for a moment)
            either is taken.
        start, end: Numbers.
        is_whole: Whether all of them are there; else the blocks hold those that are.

    Raises:
        InputError: If a row is missing.
    """
    waiting = sorted(parts, key=lambda part: part.first, reverse=True)
    active: list[Rows] = []
    for begin in range(start, end, _BLOCK_ROWS):
        stop = min(end, begin + _BLOCK_ROWS)
        while waiting and waiting[-1].first < stop:
            active.append(waiting.pop())
        active = [part for part in active if part.last >= begin]
        block = _sorted([part.between(begin, stop) for part in active])
        found = 0 if block is None else block.num_rows
        if is_whole and found < stop - begin:
            there = np.empty(0, np.int64) if block is None else block.column(NUMBER).to_numpy()
            missing = np.setdiff1d(np.arange(begin, stop), there)
            raise InputError(f"row {missing[0]:,} of the table is missing; run all of it again")
        if block is not None and found:
            yield block


def _sorted(tables: list[pa.Table]) -> pa.Table | None:
    if not tables:
        return None
    table = pa.concat_tables(tables).combine_chunks()
    numbers = table.column(NUMBER).to_numpy()
    if (numbers[1:] <= numbers[:-1]).any():
        _, order = np.unique(numbers, return_index=True)
        table = table.take(order)
    return table


class InOrder:
    """Gives rows out as soon as all before them are there.

    Args:
        spill: Puts rows that wait where they take no memory.

    Attributes:
        given: Rows given out so far.
    """

    def __init__(self, spill: Callable[[pa.Table], Rows]) -> None:
        self.given = 0
        self._spill = spill
        self._is_there = np.zeros(_BLOCK_ROWS, bool)
        self._spilled: list[Rows] = []
        self._fresh: list[pa.Table] = []

    def add(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Take some rows with their numbers, and give all that wait for nothing any more."""
        if not rows.num_rows:  # of a region that is longer than a chunk
            return
        numbers = rows.column(NUMBER).to_numpy()
        self._note(numbers)
        self._fresh.append(rows if _is_ascending(numbers) else rows.sort_by(NUMBER))
        ahead = self._is_there[self.given :]
        end = self.given + int(np.argmin(ahead))
        if end > self.given:
            parts = [*self._spilled, *map(SortedRows, self._fresh)]
            yield from in_order(parts, self.given, end)
            self.given = end
            self._spilled = [part for part in self._spilled if part.last >= end]
            self._fresh = [table for table in self._fresh if SortedRows(table).last >= end]
        if sum(table.nbytes for table in self._fresh) >= _SPILL_BYTES:
            self._spilled.append(self._spill(pa.concat_tables(self._fresh)))
            self._fresh = []

    def _note(self, numbers: npt.NDArray[np.int64]) -> None:
        """Keeps one place more than there are rows: the first that is not there."""
        room = int(numbers.max()) + 2 - len(self._is_there)
        if room > 0:
            more = max(room, len(self._is_there))
            self._is_there = np.concatenate((self._is_there, np.zeros(more, bool)))
        self._is_there[numbers] = True


def _is_ascending(numbers: npt.NDArray[np.int64]) -> bool:
    return not bool((numbers[1:] < numbers[:-1]).any())
