"""Regions in, a value for each of their bases out.

    regions -> their union -> stretches (a window, and what to read in it) -> chunks -> answers -> rows

Which window reads a base depends on the contig alone, and so does its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from janusdna import tokens
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.places import RegionStatus, asked_regions, named_region
from janusdna_cli.genome.union import union
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.tables import as_table
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.chunks import ATTENDED_BASES, Chunk, Load, answered, encode_window, in_chunks
from janusdna_cli.reading.opening import open_model, window_size
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD, Request
from janusdna_cli.reading.stretches import RegionsOutside, Stretch, stretches
from janusdna_cli.reading.survey import unannounced
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.runs.finishing import Outgoing
from janusdna_cli.runs.job import Done
from janusdna_cli.runs.running import run
from janusdna_cli.runs.target import Target
from janusdna_cli.runtime.summary import Summary
from janusdna_cli.tracks.settings import TrackSettings
from janusdna_cli.tracks.table import track_schema
from janusdna_cli.tracks.values import VALUES

__all__ = ["TrackSettings", "make_track"]

# What is read at once: the middle half of a long window.
_MOST_BASES = 65_536
_ROW_BYTES = 32


def make_track(settings: TrackSettings) -> Summary:
    """Tell a value of every base of regions, or of a genome, and write the track.

    Raises:
        InputError: If a file cannot be read or written, or a named region is not in the genome.
        CheckpointError: If the model cannot be used.
    """
    return run(Tracking.opened, settings, settings.regions or settings.fasta)


class _Asked(NamedTuple):
    """A chunk of work, and what is asked for each of its stretches: nothing where no base is known."""

    chunk: Chunk[Stretch]
    ids: list[Any]
    requests: list[Request | None]


class Tracking:
    """`track` as a job: its units are windows.

    Args:
        settings: Of the run.
        reference: The genome.
    """

    command = "track"
    doing = "Reading"
    unit = "bases"
    header = None

    def __init__(self, settings: TrackSettings, reference: Reference) -> None:
        self.settings = settings
        self.source = settings.regions or settings.fasta
        self.reference = reference
        for name in settings.region:  # before anything is loaded
            named_region(name, reference)
        self.model = open_model(settings)
        self.window = window_size(settings, self.model)
        self.schema = track_schema(settings.value)
        self._value = VALUES[settings.value]
        self._strands = BOTH_STRANDS if settings.both_strands else FORWARD
        self._outside = RegionsOutside(self.source)

    @classmethod
    @contextmanager
    def opened(cls, settings: TrackSettings, target: Target | None = None) -> Iterator[Tracking]:
        """The job of some settings, with its files open.

        Args:
            settings: Of the run.
            target: Where its table goes: all formats take the same rows.

        Raises:
            InputError: If a file cannot be read.
            CheckpointError: If the model cannot be used.
        """
        with Reference.open(settings.fasta) as reference:
            yield cls(settings, reference)

    def options(self) -> Mapping[str, Any]:
        """What changes its numbers besides the model, the window and the inputs."""
        settings = self.settings
        return {
            "regions of": Path(settings.fasta).name,
            "--region": list(settings.region),
            "--value": settings.value,
        }

    def facts(self) -> Mapping[str, Any]:
        """What the table's metadata say besides where it comes from."""
        return {"value": self.settings.value, "context": "tiled"}

    def reader(self, on_batch: Callable[[int, int], None]) -> WindowReader:
        """Who answers what is asked."""
        return WindowReader(self.model, batch_bp=self.settings.batch_bp, on_batch=on_batch)

    def again(self, threads: int) -> Callable[[], AbstractContextManager[Tracking]]:
        """What opens this job in another process."""
        return partial(Tracking.opened, replace(self.settings, threads=threads, quiet=True))

    def outgoing(self, rows: Iterable[pa.Table], form: Format) -> AbstractContextManager[Outgoing]:
        """The table, which is the same in all formats."""
        return nullcontext(Outgoing(self.schema, rows, contigs=self.reference.lengths))

    def watched(self, rows: pa.Table) -> pa.Table:
        """Rows of the table on their way out."""
        self._outside.add(rows)
        return rows

    def warn(self) -> None:
        """Say which regions cannot be read."""
        self._outside.warn()

    def survey(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks, before it is begun.

        Raises:
            RecordError: If a line is no region.
            InputError: If a named region is not in the genome.
        """
        with unannounced():
            yield from self.chunks(bases)

    def chunks(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks."""
        asked = asked_regions(self.reference, self.settings.region, self.settings.regions)
        covered = union(asked, self.reference)
        found = stretches(covered, self.reference, self.window, "tiled", _MOST_BASES)
        return in_chunks(found, self._load, bases)

    def done(self, chunks: Iterable[Chunk[Any]], reader: WindowReader) -> Iterator[Done]:
        """Do some of the chunks, in their order."""
        asking = map(self._ask, chunks)
        requested = ((asked, [each for each in asked.requests if each]) for asked in asking)
        for asked, answers in answered(requested, reader):
            tables = [
                self._rows(stretch, ids, answers[request] if request else None)
                for stretch, ids, request in zip(asked.chunk.items, asked.ids, asked.requests, strict=True)
            ]
            contigs = {each.window.contig for each in asked.chunk.items if each.window is not None}
            yield Done(asked.chunk, pa.concat_tables(tables), contigs)

    def _load(self, stretch: Stretch) -> Load:
        if stretch.window is None:
            return Load(1, 0, 0)
        bases, window = len(stretch), len(stretch.window)
        read = len(self._strands) * (window + bases * window / ATTENDED_BASES)
        kept = 2 * window + bases * (_ROW_BYTES + 4 * (8 + self.model.config.hidden_size))
        return Load(bases, read, kept)

    def _ask(self, chunk: Chunk[Stretch]) -> _Asked:
        asked = [self._question(stretch) for stretch in chunk.items]
        return _Asked(chunk, [ids for ids, _ in asked], [request for _, request in asked])

    def _question(self, stretch: Stretch) -> tuple[Any, Request | None]:
        """Token ids of the bases, and what is asked about those that are A, C, G or T."""
        if stretch.window is None:
            return np.empty(0, np.uint8), None
        window = encode_window(self.reference, stretch.window)
        first = stretch.start - stretch.window.start
        ids = window[first : first + len(stretch)]
        known = np.flatnonzero(tokens.is_base(ids))
        return ids, Request(window, first + known, self._strands) if len(known) else None

    def _rows(self, stretch: Stretch, ids: Any, answer: WindowAnswer | None) -> pa.Table:
        """A row a base; one of a region that cannot be read."""
        if stretch.window is None:
            outside = {"chrom": [stretch.chrom], "pos": [stretch.start + 1]}
            return as_table(outside | {"value": [None], "status": [str(stretch.status)]}, self.schema)
        known = tokens.is_base(ids)
        values = np.ma.MaskedArray(np.zeros(len(ids), np.float32), mask=~known)
        if answer is not None:
            codes = ids[known].astype(np.int64) - tokens.A
            values[known] = self._value(answer.logp, codes)
        columns = {
            "chrom": pa.repeat(stretch.chrom, len(ids)),
            "pos": np.arange(stretch.start + 1, stretch.end + 1),
            "value": values,
            "status": _STATUSES.take(pa.array(known.astype(np.int8))),
        }
        return as_table(columns, self.schema)


_STATUSES = pa.array([str(RegionStatus.non_acgt), str(RegionStatus.ok)])
