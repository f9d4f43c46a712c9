"""Keeps what is done in a journal, in entries of whole units."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import pyarrow as pa

from janusdna_cli.genome.checksums import Checksums
from janusdna_cli.runs.job import Done, Reader
from janusdna_cli.runs.journal import Entry, Journal

__all__ = ["Keeper"]

# What is lost at most when a run is killed, and how large an entry grows.
_SECONDS = 5.0
_BYTES = 16 << 20


class Keeper:
    """Takes what chunks come to, in their order; what it has of whole units is kept when it is left.

    Args:
        journal: Where.
        checksums: Of the contigs that are read.
        reader: Who counts what is read.
    """

    def __init__(self, journal: Journal, checksums: Checksums, reader: Reader) -> None:
        self._journal = journal
        self._checksums = checksums
        self._reader = reader
        self._windows, self._bases = reader.windows, reader.bases
        self._whole: list[tuple[int, list[pa.Table]]] = []  # units and their rows
        self._begun: list[pa.Table] = []
        self._contigs: set[str] = set()
        self._bytes = 0
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keep()

    def add(self, done: Done) -> None:
        """Take what a chunk came to.

        Raises:
            InputError: If it cannot be kept.
        """
        for contig in done.contigs:
            self._checksums.start(contig)
        self._contigs |= done.contigs
        self._begun.append(done.numbered_rows())
        self._bytes += done.rows.nbytes
        if done.chunk.is_last:
            unit, self._begun = (done.chunk.unit, self._begun), []
            self._whole.append(unit)  # at once: an interruption parts no unit from its rows
            if self._bytes >= _BYTES or time.monotonic() - self._last >= _SECONDS:
                self._keep()

    def _keep(self) -> None:
        if not self._whole:
            return
        reader, whole = self._reader, self._whole
        entry = Entry(
            tuple(unit for unit, _ in whole),
            self._checksums.of(sorted(self._contigs)),
            reader.windows - self._windows,
            reader.bases - self._bases,
        )
        self._whole = []  # before they are written: whatever interrupts that, no unit is written twice
        self._journal.add(entry, pa.concat_tables(rows for _, tables in whole for rows in tables))
        self._contigs = set()
        self._windows, self._bases = reader.windows, reader.bases
        self._bytes, self._last = 0, time.monotonic()
