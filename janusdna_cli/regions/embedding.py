"""Regions in, one embedding a region out (or one a base).

    regions -> parts (a window and what to read in it) -> chunks -> requests -> answers -> pooling -> rows

A region longer than the window is read in several parts and its pool grows part by part, so that
memory depends neither on the file nor on the longest region.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from janusdna import tokens
from janusdna.layers import layer_named
from janusdna_cli.errors import RecordError
from janusdna_cli.genome.agreement import NamesSeen
from janusdna_cli.genome.bed import Region, read_regions
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.places import RegionStatus, region_status
from janusdna_cli.genome.streams import input_name
from janusdna_cli.genome.windows import Window, covering_windows
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.tables import as_table
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.chunks import ATTENDED_BASES, Chunk, Load, answered, encode_window, in_chunks
from janusdna_cli.reading.opening import open_model, window_size
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD, REVERSE, Request
from janusdna_cli.reading.survey import is_seekable, unannounced
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.regions.pooling import EmbeddedRow, Pooling, pooling
from janusdna_cli.regions.precision import Rounding
from janusdna_cli.regions.settings import EmbedSettings
from janusdna_cli.regions.table import FIRST_BED_COLUMN, embedding_schema
from janusdna_cli.runs.finishing import Outgoing
from janusdna_cli.runs.job import Done
from janusdna_cli.runs.running import run
from janusdna_cli.runs.target import Target
from janusdna_cli.runtime.summary import Summary

__all__ = ["EmbedSettings", "embed_regions"]

logger = logging.getLogger(__name__)


class _Part(NamedTuple):
    """What to read of a region in one window: [start, end) of its contig, 0-based.

    A region that cannot be read is one part without a window.
    """

    region: Region
    status: RegionStatus
    window: Window | None = None
    start: int = 0
    end: int = 0
    is_last: bool = True


class _Asked(NamedTuple):
    """A chunk of work, and what is asked for each of its parts."""

    chunk: Chunk[_Part]
    requests: list[Request | None]


class _Row(NamedTuple):
    region: Region
    status: RegionStatus
    embedded: EmbeddedRow


def embed_regions(settings: EmbedSettings) -> Summary:
    """Embed every region of a BED, or every record of a FASTA, and write the table.

    Raises:
        InputError: If a file cannot be read or written.
        CheckpointError: If the model cannot be used.
        LayerError: If it has no such layer.
    """
    if settings.strand_aware and settings.both_strands:
        logger.warning("--strand-aware changes nothing while both strands are averaged: add --no-rc")
    return run(Embedding.opened, settings, settings.regions or settings.fasta)


class Embedding:
    """`embed` as a job: its units are whole regions, or with `pool="none"` stretches of them.

    Args:
        settings: Of the run.
        reference: The genome.
    """

    command = "embed"
    doing = "Embedding"
    header = None

    def __init__(self, settings: EmbedSettings, reference: Reference) -> None:
        self.settings = settings
        self.source = settings.regions or settings.fasta
        self.reference = reference
        self._regions, self._extra_columns = self._first_look()
        self.model = open_model(settings)
        self.window = window_size(settings, self.model)
        layer = layer_named(settings.layer)
        layer.check(self.model.config.num_layers)
        self._width = layer.width(self.model.config.hidden_size)
        self._rounding = Rounding(settings.embedding_dtype)
        self._per_base = settings.pool == "none"
        self.unit = "rows" if self._per_base else "regions"
        self.schema = embedding_schema(
            self._width,
            dtype=settings.embedding_dtype,
            layer=settings.layer,
            per_base=self._per_base,
            extra_columns=self._extra_columns,
        )
        self._names = NamesSeen(input_name(self.source), self.unit, reference)

    @classmethod
    @contextmanager
    def opened(cls, settings: EmbedSettings, target: Target | None = None) -> Iterator[Embedding]:
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
            "--pool": settings.pool,
            "--strand-aware": settings.strand_aware,
            "--layer": settings.layer,
            "--embedding-dtype": settings.embedding_dtype,
            "--keep-columns": settings.keep_columns,
        }

    def facts(self) -> Mapping[str, Any]:
        """What the table's metadata say besides where it comes from."""
        names = ("pool", "strand_aware", "layer", "embedding_dtype")
        return {name: getattr(self.settings, name) for name in names}

    def reader(self, on_batch: Callable[[int, int], None]) -> WindowReader:
        """Who answers what is asked."""
        settings = self.settings
        return WindowReader(self.model, layer=settings.layer, batch_bp=settings.batch_bp, on_batch=on_batch)

    def again(self, threads: int) -> Callable[[], AbstractContextManager[Embedding]]:
        """What opens this job in another process."""
        return partial(Embedding.opened, dataclasses.replace(self.settings, threads=threads, quiet=True))

    def outgoing(self, rows: Iterable[pa.Table], form: Format) -> AbstractContextManager[Outgoing]:
        """The table, which is the same in all formats."""
        return nullcontext(Outgoing(self.schema, rows))

    def watched(self, rows: pa.Table) -> pa.Table:
        """Rows of the table on their way out."""
        for each in rows.column("chrom").value_counts().to_pylist():
            self._names.add(each["values"], each["counts"])
        return rows

    def warn(self) -> None:
        """Say which contigs are not known."""
        self._names.warn()

    def survey(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks, before it is begun.

        Raises:
            RecordError: If a line is no region.
        """
        with unannounced():
            yield from self._in_chunks(self._again(), bases)

    def chunks(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks."""
        return self._in_chunks(self._regions, bases)

    def done(self, chunks: Iterable[Chunk[Any]], reader: WindowReader) -> Iterator[Done]:
        """Do some of the chunks, in their order."""
        pool = pooling(self.settings.pool)
        for asked, answers in answered(map(self._ask, chunks), reader):
            rows = self._rows(asked, answers, pool)
            contigs = {part.window.contig for part in asked.chunk.items if part.window is not None}
            yield Done(asked.chunk, as_table(self._columns(rows), self.schema), contigs)

    def _first_look(self) -> tuple[Iterable[Region], int]:
        """The regions, and how many BED columns are kept."""
        if self.settings.regions is None or not self.settings.keep_columns:
            return self._again(), 0
        if is_seekable(self.source):
            with unannounced():
                widest = max((len(region.extra) for region in self._again()), default=0)
            return self._again(), widest
        regions = iter(self._again())
        first = list(itertools.islice(regions, 1))
        return itertools.chain(first, regions), len(first[0].extra) if first else 0

    def _again(self) -> Iterable[Region]:
        if self.settings.regions is not None:
            return read_regions(self.settings.regions)
        records = self.reference.lengths.items()
        return (Region(name, 0, length, None, None, (), 0) for name, length in records)

    def _in_chunks(self, regions: Iterable[Region], bases: float) -> Iterator[Chunk[_Part]]:
        return in_chunks(
            self._parts(regions), self._load, bases, ends_unit=lambda part: self._per_base or part.is_last
        )

    def _parts(self, regions: Iterable[Region]) -> Iterator[_Part]:
        for region in regions:
            contig = self.reference.find(region.chrom)
            status = region_status(region, self.reference)
            if contig is None or status is not RegionStatus.ok:
                yield _Part(region, status)
                continue
            start, end = self._bases_to_read(region)
            length = self.reference.lengths[contig]
            for window, begin, stop in covering_windows(contig, start, end, self.window, length):
                yield _Part(region, status, window, begin, stop, stop == end)

    def _load(self, part: _Part) -> Load:
        if part.window is None:
            return Load(1, 0, 0)
        positions = part.end - part.start
        kept = len(part.window) + 4 * positions * (8 + 3 * self._width)
        strands = 2 if self.settings.both_strands else 1
        bases = strands * (len(part.window) + positions * len(part.window) / ATTENDED_BASES)
        return Load(positions if self._per_base else part.is_last, bases, kept)

    def _bases_to_read(self, region: Region) -> tuple[int, int]:
        if self.settings.pool != "center":
            return region.start, region.end
        middle = (region.start + region.end) // 2
        return middle, middle + 1

    def _ask(self, chunk: Chunk[_Part]) -> tuple[_Asked, list[Request]]:
        requests = [self._request(part, part.window) if part.window else None for part in chunk.items]
        return _Asked(chunk, requests), [request for request in requests if request]

    def _rows(self, asked: _Asked, answers: Mapping[Request, WindowAnswer], pool: Pooling) -> list[_Row]:
        """The rows that the parts of a chunk complete, in order."""
        rows: list[_Row] = []
        for part, request in zip(asked.chunk.items, asked.requests, strict=True):
            if request is None:
                rows.append(_Row(part.region, part.status, EmbeddedRow(None, 0, None)))
                continue
            is_base = tokens.is_base(request.ids[request.targets])
            for embedded in pool.rows(answers[request].hidden, is_base, part.start, part.is_last):
                status = RegionStatus.non_acgt if embedded.embedding is None else RegionStatus.ok
                rows.append(_Row(part.region, status, embedded))
        return rows

    def _request(self, part: _Part, window: Window) -> Request:
        targets = np.arange(part.start - window.start, part.end - window.start)
        return Request(encode_window(self.reference, window), targets, self._strands(part.region))

    def _strands(self, region: Region) -> tuple[bool, ...]:
        if self.settings.both_strands:
            return BOTH_STRANDS
        return REVERSE if self.settings.strand_aware and region.strand == "-" else FORWARD

    def _columns(self, rows: list[_Row]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {
            "chrom": [row.region.chrom for row in rows],
            "start": [row.region.start for row in rows],
            "end": [row.region.end for row in rows],
            "name": [row.region.name for row in rows],
            "strand": [row.region.strand for row in rows],
            "pos": [row.embedded.pos for row in rows],
            "n_bases": [row.embedded.n_bases for row in rows],
            "status": [str(row.status) for row in rows],
            "embedding": [self._rounding(row.embedded.embedding) for row in rows],
        }
        extra = [self._extra(row.region) for row in rows] if self._extra_columns else []
        for i in range(self._extra_columns):
            columns[f"bed_{FIRST_BED_COLUMN + i}"] = [values[i] for values in extra]
        return {name: columns[name] for name in self.schema.names}

    def _extra(self, region: Region) -> tuple[str | None, ...]:
        missing = self._extra_columns - len(region.extra)
        if missing < 0:
            raise RecordError(
                self.settings.regions or "",
                f"line {region.line}",
                f"found {len(region.extra)} columns after the third, expected at most {self._extra_columns}: "
                "from standard input --keep-columns needs the widest line first",
            )
        return region.extra + (None,) * missing
