"""Regions in, one embedding a region out (or one a base).

    regions -> parts (a window and what to read in it) -> chunks -> readings -> pooling -> rows

A region longer than the window is read in several parts and its pool grows part by part, so that
memory depends neither on the file nor on the longest region.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from janusdna import MIN_LENGTH, tokens
from janusdna.layers import layer_named
from janusdna_cli.errors import RecordError
from janusdna_cli.genome.agreement import NamesSeen
from janusdna_cli.genome.bed import Region, read_regions
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.streams import input_name
from janusdna_cli.genome.windows import Window, covering_windows
from janusdna_cli.outputs.destinations import check_destination
from janusdna_cli.outputs.formats import Format, table_format
from janusdna_cli.outputs.names import default_output
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.chunks import answered, encode_window, in_chunks
from janusdna_cli.reading.opening import open_model, window_size
from janusdna_cli.reading.provenance import Provenance
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD, REVERSE, Request
from janusdna_cli.reading.survey import is_seekable, unannounced
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.regions.pooling import EmbeddedRow, pooling
from janusdna_cli.regions.precision import Rounding
from janusdna_cli.regions.settings import FORMATS, EmbedSettings
from janusdna_cli.regions.table import FIRST_BED_COLUMN, embedding_schema
from janusdna_cli.runtime.progress import progress
from janusdna_cli.runtime.ranks import check_alone
from janusdna_cli.runtime.summary import Summary

__all__ = ["EmbedSettings", "RegionStatus", "embed_regions"]

logger = logging.getLogger(__name__)


class RegionStatus(StrEnum):
    """What became of a region, or with `pool="none"` of a base."""

    ok = "ok"
    no_contig = "no_contig"
    out_of_contig = "out_of_contig"
    empty = "empty"
    non_acgt = "non_acgt"
    contig_too_short = "contig_too_short"


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
    part: _Part
    request: Request | None


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
    check_alone("embed")
    output = settings.output or default_output(settings.regions or settings.fasta)
    form = table_format(output, settings.format, formats=(*FORMATS, Format.parquet_folder))
    check_destination(output, overwrite=settings.overwrite, folder=form is Format.parquet_folder)
    if settings.strand_aware and settings.both_strands:
        logger.warning("--strand-aware changes nothing while both strands are averaged: add --no-rc")
    with Reference.open(settings.fasta) as reference:
        return _Embedding(settings, reference).run(output, form)


class _Embedding:
    """One run: the regions, the model, and what the settings come to."""

    def __init__(self, settings: EmbedSettings, reference: Reference) -> None:
        self.settings = settings
        self.reference = reference
        self.regions, self.total, self.extra_columns = self._survey()
        self.model = open_model(settings)
        self.window = window_size(settings, self.model)
        self.pooling = pooling(settings.pool)
        self.rounding = Rounding(settings.embedding_dtype)
        layer = layer_named(settings.layer)
        layer.check(self.model.config.num_layers)
        self.width = layer.width(self.model.config.hidden_size)

    def run(self, output: str, form: Format) -> Summary:
        per_base = self.settings.pool == "none"
        summary = Summary(output, "rows" if per_base else "regions")
        schema = embedding_schema(
            self.width,
            dtype=self.settings.embedding_dtype,
            layer=self.settings.layer,
            per_base=per_base,
            extra_columns=self.extra_columns,
        )
        origin = Provenance(
            self.settings, self.model, self.reference, self.window, is_kept=form is not Format.tsv
        )
        with (
            origin,
            open_table(
                output,
                schema,
                form,
                overwrite=self.settings.overwrite,
                metadata=lambda: origin.facts() | self._facts(),
            ) as table,
            progress("Embedding", self.total, "regions", quiet=self.settings.quiet) as bar,
        ):
            reader = WindowReader(
                self.model,
                layer=self.settings.layer,
                batch_bp=self.settings.batch_bp,
                on_batch=lambda bases: bar.advance(0, bases),
            )
            chunks = in_chunks(self._parts(origin), self._bytes_in_flight)
            for chunk, answers in answered(map(self._ask, chunks), reader):
                rows = self._rows(chunk, answers)
                table.write(self._columns(rows, schema.names))
                summary.counts.update(row.status for row in rows)
                bar.advance(sum(part.is_last for part, _ in chunk))
        return summary.finish(reader.windows, reader.bases)

    def _survey(self) -> tuple[Iterable[Region], int | None, int]:
        """The regions, their number where it can be known, and the BED columns to keep.

        A file is read through once, so that a line that is no region ends the run before the work.
        """
        source = self.settings.regions
        if source is None:
            records = self.reference.lengths.items()
            return [Region(name, 0, length, None, None, (), 0) for name, length in records], len(records), 0
        if is_seekable(source):
            with unannounced():
                total, widest = _measure(read_regions(source))
            regions: Iterable[Region] = read_regions(source)
        else:
            regions = read_regions(source)
            first = list(itertools.islice(regions, 1))
            total, widest = None, len(first[0].extra) if first else 0
            regions = itertools.chain(first, regions)
        return regions, total, widest if self.settings.keep_columns else 0

    def _facts(self) -> dict[str, Any]:
        names = ("pool", "strand_aware", "layer", "embedding_dtype")
        return {name: getattr(self.settings, name) for name in names}

    def _parts(self, origin: Provenance) -> Iterator[_Part]:
        source = self.settings.regions or self.settings.fasta
        names = NamesSeen(input_name(source), "regions", self.reference)
        for region in self.regions:
            contig = names.find(region.chrom)
            status = self._status(region, contig)
            if contig is None or status is not RegionStatus.ok:
                yield _Part(region, status)
                continue
            origin.reads(contig)
            start, end = self._bases_to_read(region)
            length = self.reference.lengths[contig]
            for window, begin, stop in covering_windows(contig, start, end, self.window, length):
                yield _Part(region, status, window, begin, stop, stop == end)
        names.warn()

    def _status(self, region: Region, contig: str | None) -> RegionStatus:
        if contig is None:
            return RegionStatus.no_contig
        length = self.reference.lengths[contig]
        if region.end > length:
            return RegionStatus.out_of_contig
        if region.start == region.end:
            return RegionStatus.empty
        return RegionStatus.contig_too_short if length < MIN_LENGTH else RegionStatus.ok

    def _bases_to_read(self, region: Region) -> tuple[int, int]:
        if self.settings.pool != "center":
            return region.start, region.end
        middle = (region.start + region.end) // 2
        return middle, middle + 1

    def _bytes_in_flight(self, part: _Part) -> int:
        if part.window is None:
            return 0
        return len(part.window) + 4 * (part.end - part.start) * (8 + 3 * self.width)

    def _ask(self, parts: list[_Part]) -> tuple[list[_Asked], list[Request]]:
        chunk = [_Asked(part, self._request(part, part.window) if part.window else None) for part in parts]
        return chunk, [asked.request for asked in chunk if asked.request]

    def _rows(self, chunk: list[_Asked], answers: Mapping[Request, WindowAnswer]) -> list[_Row]:
        """The rows that the parts of a chunk complete, in order."""
        rows: list[_Row] = []
        for part, request in chunk:
            if request is None:
                rows.append(_Row(part.region, part.status, EmbeddedRow(None, 0, None)))
                continue
            is_base = tokens.is_base(request.ids[request.targets])
            for embedded in self.pooling.rows(answers[request].hidden, is_base, part.start, part.is_last):
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

    def _columns(self, rows: list[_Row], names: list[str]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {
            "chrom": [row.region.chrom for row in rows],
            "start": [row.region.start for row in rows],
            "end": [row.region.end for row in rows],
            "name": [row.region.name for row in rows],
            "strand": [row.region.strand for row in rows],
            "pos": [row.embedded.pos for row in rows],
            "n_bases": [row.embedded.n_bases for row in rows],
            "status": [str(row.status) for row in rows],
            "embedding": [self.rounding(row.embedded.embedding) for row in rows],
        }
        extra = [self._extra(row.region) for row in rows] if self.extra_columns else []
        for i in range(self.extra_columns):
            columns[f"bed_{FIRST_BED_COLUMN + i}"] = [values[i] for values in extra]
        return {name: columns[name] for name in names}

    def _extra(self, region: Region) -> tuple[str | None, ...]:
        missing = self.extra_columns - len(region.extra)
        if missing < 0:
            raise RecordError(
                self.settings.regions or "",
                f"line {region.line}",
                f"found {len(region.extra)} columns after the third, expected at most {self.extra_columns}: "
                "from standard input --keep-columns needs the widest line first",
            )
        return region.extra + (None,) * missing


def _measure(regions: Iterable[Region]) -> tuple[int, int]:
    """How many regions there are, and the most columns that one has after the third."""
    total = widest = 0
    for region in regions:
        total += 1
        widest = max(widest, len(region.extra))
    return total, widest
