"""Rows brought together by the tile that they are read in, wherever in the input they stand.

They wait in a temporary database that spills to disk, so that memory does not grow with their number.
"""

from __future__ import annotations

import itertools
import pickle
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Self

from janusdna_cli.errors import InputError
from janusdna_cli.variants.plan import PlannedAllele

__all__ = ["NumberedRow", "Tiles"]

_ROWS_AT_ONCE = 1024
# Tiles are numbered as they first appear, so that the index alone gives them in their order: the work on all
# rows grows as their number does, and a sorted input is read from the front to the back.
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE tiles (number INTEGER PRIMARY KEY, contig TEXT, start INTEGER, UNIQUE (contig, start));
CREATE TABLE rows (number INTEGER PRIMARY KEY, tile REAL, row BLOB);
"""
_INDEX = "CREATE INDEX by_tile ON rows (tile, number)"
_BY_TILE = "SELECT tile, number, row FROM rows INDEXED BY by_tile ORDER BY tile, number"

NumberedRow = tuple[int, PlannedAllele]


class Tiles:
    """Takes all rows of an input, and gives them by tile, as often as they are asked for.

    What is pickled here never leaves the process.

    Args:
        path: Where another process has them; None for a file of its own, which goes when this is closed.
        is_shared: Whether other processes will ask for them.

    Attributes:
        is_filled: Whether it has them.

    Raises:
        InputError: If the temporary folder is full.
    """

    def __init__(self, path: Path | None = None, *, is_shared: bool = False) -> None:
        self._own = tempfile.TemporaryDirectory(prefix="janusdna-") if is_shared and path is None else None
        self._path = Path(self._own.name) / "tiles" if self._own else path
        # The empty name is a private file that vanishes with its connection.
        name = self._path or ""
        self._database = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        # One thread may take rows while another does.
        self._lock = Lock()
        self.is_filled = path is not None
        if path is None:
            self._database.executescript(_SCHEMA)
        self._count = self._last_number = 0
        self._last_tile: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._database.close()
        if self._own is not None:
            self._own.cleanup()

    def shared(self) -> Path | None:
        """Where another process of this run finds the rows; None where they are not here."""
        return self._path if self.is_filled else None

    def fill(self, rows: Iterable[PlannedAllele]) -> None:
        """Take all rows, once."""
        records = ((number, self._tile_of(row), pickle.dumps(row)) for number, row in enumerate(rows))
        with _room_expected(), self._lock:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO rows VALUES (?, ?, ?)", records)
            self._database.execute("COMMIT")
            self._database.execute(_INDEX)
        self.is_filled = True

    def __iter__(self) -> Iterator[list[NumberedRow]]:
        """The rows of each tile, numbered; tiles in the order in which they first appear.

        Between them, in groups of bounded size, rows that no tile is read for.
        """
        for tile, members in itertools.groupby(self._select(), key=lambda record: record[0]):
            rows = ((number, pickle.loads(row)) for _, number, row in members)
            is_read = tile.is_integer()
            while group := list(rows if is_read else itertools.islice(rows, _ROWS_AT_ONCE)):
                yield group

    def _tile_of(self, row: PlannedAllele) -> float:
        """A tile's number; between two of them for a row that no tile is read for.

        Neighbours in the input are mostly of one tile.
        """
        if row.window is None:
            return self._count + 0.5
        tile = row.window.contig, row.window.start
        if tile == self._last_tile:
            return self._last_number
        find = "SELECT number FROM tiles WHERE contig = ? AND start = ?"
        found = self._database.execute(find, tile).fetchone()
        if found is None:
            self._count += 1
            self._database.execute("INSERT INTO tiles VALUES (?, ?, ?)", (self._count, *tile))
        self._last_tile = tile
        self._last_number = self._count if found is None else found[0]
        return self._last_number

    def _select(self) -> Iterator[tuple[Any, ...]]:
        with _room_expected(), self._lock:
            cursor = self._database.execute(_BY_TILE)
        while True:
            with _room_expected(), self._lock:
                records = cursor.fetchmany(_ROWS_AT_ONCE)
            if not records:
                return
            yield from records


@contextmanager
def _room_expected() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise InputError(
            f"temporary database: {error}; expected room for the rows of the input: "
            "set TMPDIR to a folder with more"
        ) from None
