"""Rows that are worked on in groups, wherever in the input they stand, and come out in its order.

Rows and answers wait in a temporary database that spills to disk, so that memory does not grow with
their number.
"""

from __future__ import annotations

import itertools
import pickle
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Generic, Self, TypeVar

from janusdna_cli.errors import InputError

__all__ = ["InputOrder"]

_ROWS_AT_ONCE = 1024
# Groups are numbered as they first appear, so that the index alone gives them in their order: the work on all
# rows grows as their number does, and a sorted input is read from the front to the back.
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE groups (number INTEGER PRIMARY KEY, contig TEXT, start INTEGER, UNIQUE (contig, start));
CREATE TABLE rows (number INTEGER PRIMARY KEY, "group" INTEGER, row BLOB);
CREATE TABLE answers (number INTEGER PRIMARY KEY, answer BLOB);
"""
_INDEX = 'CREATE INDEX by_group ON rows ("group", number) WHERE "group" IS NOT NULL'
_BY_GROUP = """
SELECT "group", number, row FROM rows INDEXED BY by_group WHERE "group" IS NOT NULL ORDER BY "group", number
"""
_FROM_HERE_ON = """
SELECT row, "group" IS NULL OR answer IS NOT NULL, answer FROM rows LEFT JOIN answers USING (number)
WHERE number >= ? ORDER BY number LIMIT ?
"""

Row = TypeVar("Row")
Answer = TypeVar("Answer")


class InputOrder(Generic[Row, Answer]):
    """Takes rows in, gives them out by group, takes answers, gives rows with answers out in order.

    What is pickled here never leaves the process.

    Raises:
        InputError: If the temporary folder is full.
    """

    def __init__(self) -> None:
        # The empty name is a private file that vanishes with its connection.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        # One thread may take groups while another gives answers.
        self._lock = Lock()
        self._database.executescript(_SCHEMA)
        self._next = 0
        self._groups = self._last_number = 0
        self._last_group: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._database.close()

    def add(self, rows: Iterable[tuple[Row, tuple[str, int] | None]]) -> None:
        """Take all rows, once, each with its group; one of no group needs no answer."""
        records = (
            (number, self._number_of(group), pickle.dumps(row)) for number, (row, group) in enumerate(rows)
        )
        self._insert("INSERT INTO rows VALUES (?, ?, ?)", records)
        with _room_expected(), self._lock:
            self._database.execute(_INDEX)

    def groups(self) -> Iterator[list[tuple[int, Row]]]:
        """The rows of each group, numbered; groups in the order in which they first appear."""
        found = self._select(_BY_GROUP)
        for _, members in itertools.groupby(found, key=lambda record: record[0]):
            yield [(number, pickle.loads(row)) for _, number, row in members]

    def answer(self, answers: Iterable[tuple[int, Answer]]) -> None:
        """Take answers to rows by their numbers."""
        records = ((number, pickle.dumps(answer)) for number, answer in answers)
        self._insert("INSERT INTO answers VALUES (?, ?)", records)

    def ready(self) -> Iterator[list[tuple[Row, Answer | None]]]:
        """The next rows that wait for no answer, theirs or an earlier one's; None for one of no group."""
        while True:
            found = self._select(_FROM_HERE_ON, self._next, _ROWS_AT_ONCE)
            done = list(itertools.takewhile(lambda record: record[1], found))
            if not done:
                return
            self._next += len(done)
            yield [(pickle.loads(row), answer and pickle.loads(answer)) for row, _, answer in done]

    def _number_of(self, group: tuple[str, int] | None) -> int | None:
        """A group's number; neighbours in the input are mostly of one group."""
        if group is None or group == self._last_group:
            return None if group is None else self._last_number
        find = "SELECT number FROM groups WHERE contig = ? AND start = ?"
        found = self._database.execute(find, group).fetchone()
        if found is None:
            self._groups += 1
            self._database.execute("INSERT INTO groups VALUES (?, ?, ?)", (self._groups, *group))
        self._last_group = group
        self._last_number = self._groups if found is None else found[0]
        return self._last_number

    def _select(self, statement: str, *values: int) -> Iterator[tuple[Any, ...]]:
        with _room_expected(), self._lock:
            cursor = self._database.execute(statement, values)
        while True:
            with _room_expected(), self._lock:
                records = cursor.fetchmany(_ROWS_AT_ONCE)
            if not records:
                return
            yield from records

    def _insert(self, statement: str, records: Iterable[tuple[object, ...]]) -> None:
        with _room_expected(), self._lock:
            self._database.execute("BEGIN")
            self._database.executemany(statement, records)
            self._database.execute("COMMIT")


@contextmanager
def _room_expected() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise InputError(
            f"temporary database: {error}; expected room for the rows of the input: "
            "set TMPDIR to a folder with more"
        ) from None
