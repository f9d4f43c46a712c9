"""What a task is to a run: work in units, rows that they complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeVar

import pyarrow as pa

from janusdna.reader import Model
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.outputs.formats import Format
from janusdna_cli.reading.chunks import Chunk
from janusdna_cli.records.header import RecordHeader
from janusdna_cli.runs.finishing import Outgoing
from janusdna_cli.runs.rows import NUMBER, numbered
from janusdna_cli.runs.settings import RunSettings

__all__ = ["Done", "Job", "Reader"]


class Done(NamedTuple):
    """What a chunk of work came to.

    Attributes:
        chunk: The work.
        rows: Those that it completes, in order; with their numbers as first column where the chunk's are not
            neighbours in the table.
        contigs: Of the reference that were read.
    """

    chunk: Chunk[Any]
    rows: pa.Table
    contigs: set[str]

    def numbered_rows(self) -> pa.Table:
        """The rows with their numbers as first column."""
        is_numbered = NUMBER in self.rows.column_names
        return self.rows if is_numbered else numbered(self.rows, self.chunk.first_row)


class Reader(Protocol):
    """Who answers what is asked.

    Attributes:
        windows: Windows read so far, each strand for itself.
        bases: Bases read so far.
    """

    windows: int
    bases: int


ReaderT = TypeVar("ReaderT", bound=Reader)


class Job(Protocol[ReaderT]):
    """A task, as it is shared out, kept and put together.

    Attributes:
        command: The command that it is.
        doing: What it does, for a progress bar.
        unit: What its rows are, in the plural.
        source: The input whose rows they are; "-" for standard input.
        model: Who reads.
        window: Bases of context.
    """

    command: str
    doing: str
    unit: str
    source: str
    model: Model
    window: int

    @property
    def reference(self) -> Reference | None:
        """What is read; None where the input has the bases."""
        ...

    @property
    def header(self) -> RecordHeader | None:
        """Of the input, where its records go with the rows; None where they do not."""
        ...

    @property
    def settings(self) -> RunSettings:
        """Of the run."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """Of the table."""
        ...

    def options(self) -> Mapping[str, Any]:
        """What changes its numbers besides the model, the window and the inputs, by option."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """What the table's metadata say besides where it comes from."""
        ...

    def survey(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks of about that cost, seen through once before it is begun.

        Raises:
            InputError: If the input is broken somewhere.
        """
        ...

    def chunks(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, the same chunks whenever they are made."""
        ...

    def done(self, chunks: Iterable[Chunk[Any]], reader: ReaderT) -> Iterator[Done]:
        """Do some of the chunks, in their order."""
        ...

    def reader(self, on_batch: Callable[[int, int], None]) -> ReaderT:
        """Who answers what is asked.

        Args:
            on_batch: Called with the windows and the bases of each batch that is done.
        """
        ...

    def again(self, threads: int) -> Callable[[], AbstractContextManager[Job[ReaderT]]]:
        """What opens this job in another process, with so many CPU threads; it can be pickled."""
        ...

    def outgoing(self, rows: Iterable[pa.Table], form: Format) -> AbstractContextManager[Outgoing]:
        """The table as a format takes it.

        Args:
            rows: All of it in order, with their numbers as first column.
            form: The format.

        Raises:
            InputError: If it needs the input once more, and that has changed.
        """
        ...

    def watched(self, rows: pa.Table) -> pa.Table:
        """Rows of the table on their way out, in order, noted for `warn`."""
        ...

    def warn(self) -> None:
        """Say what was noted, after the last row."""
        ...
