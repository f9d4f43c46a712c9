"""One process's part of a run's work: units it takes, kept in a journal of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from janusdna_cli.genome.checksums import Checksums
from janusdna_cli.reading.chunks import Chunk
from janusdna_cli.runs.folder import RunFolder
from janusdna_cli.runs.job import Job
from janusdna_cli.runs.keeper import Keeper

__all__ = ["Advance", "Takes", "work"]

# Whether this process does a unit; asked once for each, in ascending order.
Takes = Callable[[int], bool]
# Told the rows that are done, the windows and the bases that are read.
Advance = Callable[[int, int, int], None]


def work(job: Job[Any], folder: RunFolder, bases: float, takes: Takes, advance: Advance) -> None:
    """Do the units that this process takes.

    Args:
        job: The task.
        folder: Where they are kept.
        bases: Cost of a unit of work.
        takes: Which.
        advance: Told what is done, as it is.

    Raises:
        InputError: If a file cannot be read or written.
    """
    reader = job.reader(lambda windows, bases: advance(0, windows, bases))
    with (
        Checksums(job.reference) as checksums,
        folder.journal() as journal,
        Keeper(journal, checksums, reader) as keeper,
    ):
        for done in job.done(_taken(job.chunks(bases), takes), reader):
            keeper.add(done)
            advance(done.chunk.load.rows, 0, 0)


def _taken(chunks: Iterable[Chunk[Any]], takes: Takes) -> Iterator[Chunk[Any]]:
    for unit, those in itertools.groupby(chunks, key=lambda chunk: chunk.unit):
        if takes(unit):
            yield from those
