"""Variants in, a row of scores per ALT allele out.

    records -> chunks -> planned alleles -> questions -> requests -> answers -> values -> rows

With tiled windows all records are planned first and brought together by tile. Every record has its rows,
scored or with the reason why not.
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from janusdna_cli.backgrounds.classes import allele_class
from janusdna_cli.errors import InputError
from janusdna_cli.genome.agreement import warn_of_lengths
from janusdna_cli.genome.alleles import Status
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.variant import Variant
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.genome.windows import Window
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.records import RECORD
from janusdna_cli.outputs.tables import as_table
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.chunks import Chunk, Load, answered, in_chunks
from janusdna_cli.reading.opening import open_model, window_size
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD, Request
from janusdna_cli.reading.survey import unannounced
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.runs.finishing import Outgoing
from janusdna_cli.runs.job import Done
from janusdna_cli.runs.rows import numbered_by
from janusdna_cli.runs.running import run
from janusdna_cli.runs.target import Target
from janusdna_cli.runtime.summary import Summary
from janusdna_cli.variants.agreement import RowsSeen, of_one_assembly
from janusdna_cli.variants.annotation import annotation_schema, as_records
from janusdna_cli.variants.loads import AlleleLoads
from janusdna_cli.variants.percentiles import (
    PercentilesSeen,
    background_of,
    provenance_of,
    with_percentiles,
)
from janusdna_cli.variants.plan import PlannedAllele, plan_alleles
from janusdna_cli.variants.questions import AlleleQuestion, WindowQuestion
from janusdna_cli.variants.settings import ScoreSettings
from janusdna_cli.variants.table import VARIANT_SCHEMA, ScoredRows, columns_of
from janusdna_cli.variants.tiles import NumberedRow, Tiles

__all__ = ["ScoreSettings", "score_variants"]


def score_variants(settings: ScoreSettings) -> Summary:
    """Score every ALT allele of a VCF and write the table.

    Raises:
        InputError: If a file cannot be read or written, or belongs to another assembly.
        CheckpointError: If the model cannot be used.
    """
    return run(Scoring.opened, settings, settings.vcf)


class _Row(NamedTuple):
    """A row to come, by its number in the table; asked about where it has a window; with its class."""

    number: int
    planned: PlannedAllele
    question: AlleleQuestion | None
    kind: str | None = None


class _Asked(NamedTuple):
    """A chunk of work, its rows, and what is asked for them."""

    chunk: Chunk[Any]
    rows: list[_Row]
    requests: dict[Request, WindowQuestion]


class Scoring:
    """`score-variants` as a job: its units are records, or with tiled windows whole tiles.

    Args:
        settings: Of the run.
        records: The input, its header read; closed by whoever opened it.
        reference: The genome.
        tiles: Where rows wait for their tile.
        keeps_records: Whether the input's records go with the rows, as where it cannot be read again.
    """

    command = "score-variants"
    doing = "Scoring"
    unit = "alleles"

    def __init__(
        self,
        settings: ScoreSettings,
        records: VariantReader,
        reference: Reference,
        tiles: Tiles,
        *,
        keeps_records: bool = False,
    ) -> None:
        self.settings = settings
        self.source = settings.vcf
        self.reference = reference
        self.model = open_model(settings)
        self.window = window_size(settings, self.model)
        self.background = background_of(settings, self.model, self.window)
        self.schema = VARIANT_SCHEMA
        self.header = None
        if keeps_records:
            self.schema = annotation_schema(settings.scores, with_percentiles=self.background is not None)
            self.header = replace(records.header, contigs=tuple(reference.lengths.items()))
        self._names: dict[str, None] = {}
        self._records = records
        self._tiles = tiles
        self._strands = BOTH_STRANDS if settings.both_strands else FORWARD
        self._seen = RowsSeen(records.name, reference)
        self._percentiles_seen = PercentilesSeen(self.background)
        self._loads = AlleleLoads(
            self.window,
            len(self._strands),
            settings.scores,
            settings.span,
            self.model.config.hidden_size,
        )

    @classmethod
    @contextmanager
    def opened(
        cls, settings: ScoreSettings, target: Target | None = None, *, tiles: Path | None = None
    ) -> Iterator[Scoring]:
        """The job of some settings, with its files open.

        Args:
            settings: Of the run.
            target: Where its table goes; None where another process writes it.
            tiles: Where another process of the run has its rows by tile.

        Raises:
            InputError: If a file cannot be read.
            CheckpointError: If the model cannot be used.
        """
        is_annotated = target is not None and target.form in (Format.vcf, Format.bcf)
        keeps_records = is_annotated and target is not None and not target.is_kept
        with (
            VariantReader.open(settings.vcf, keep_records=keeps_records) as records,
            Reference.open(_reference_path(settings, records)) as reference,
            Tiles(tiles, is_shared=settings.workers != 1) as rows_by_tile,
        ):
            warn_of_lengths(records.name, records.contig_lengths, reference)
            yield cls(settings, records, reference, rows_by_tile, keeps_records=keeps_records)

    def options(self) -> Mapping[str, Any]:
        """What changes its numbers besides the model, the window and the inputs."""
        return {f"--{name}": value for name, value in self.facts().items()}

    def facts(self) -> Mapping[str, Any]:
        """What the table's metadata say besides where it comes from."""
        scores = self.settings.scores
        return {
            "scores": "default" if scores is None else list(scores),
            "span": self.settings.span,
            "context": self.settings.context,
            **provenance_of(self.background),
        }

    def reader(self, on_batch: Callable[[int, int], None]) -> WindowReader:
        """Who answers what is asked."""
        return WindowReader(self.model, batch_bp=self.settings.batch_bp, on_batch=on_batch)

    def again(self, threads: int) -> Callable[[], AbstractContextManager[Scoring]]:
        """What opens this job in another process; tiles that are filled are shared."""
        background = "none" if self.background is None else self.background.path
        settings = replace(self.settings, threads=threads, quiet=True, background=background)
        return partial(Scoring.opened, settings, tiles=self._tiles.shared())

    def outgoing(self, rows: Iterable[pa.Table], form: Format) -> AbstractContextManager[Outgoing]:
        """The table as a format takes it: for VCF and BCF beside the records of the input."""
        if form not in (Format.vcf, Format.bcf):
            return nullcontext(Outgoing(self.schema, rows))
        found = ((name, self.reference.find(name)) for name in self._names)
        contigs = [
            (name, None if contig is None else self.reference.lengths[contig]) for name, contig in found
        ]
        is_told = self.background is not None
        return as_records(self.source, self.settings.scores, rows, contigs, with_percentiles=is_told)

    def watched(self, rows: pa.Table) -> pa.Table:
        """Rows of the table on their way out."""
        self._seen.add(rows)
        self._percentiles_seen.add(rows)
        return rows

    def warn(self) -> None:
        """Say what file and reference disagree on, and of how many alleles a background tells nothing."""
        self._seen.warn()
        self._percentiles_seen.warn()

    def survey(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks, before it is begun; tiles are filled by it.

        Raises:
            InputError: If a record cannot be read.
        """
        if self.settings.context == "tiled":
            yield from self.chunks(bases)
            return
        with unannounced(), VariantReader.open(self.source) as records:
            yield from in_chunks(self._named(records), self._loads.of_record, bases)

    def chunks(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks: of records, or with tiled windows of tiles.

        Raises:
            InputError: If a record cannot be read, or the input is of another assembly.
        """
        if self.settings.context == "centered":
            records = of_one_assembly(self._records, self.reference, self._records.name)
            return in_chunks(records, self._loads.of_record, bases)
        if not self._tiles.is_filled:
            records = of_one_assembly(self._records, self.reference, self._records.name)
            self._tiles.fill(self._planned(self._named(records)))
        return in_chunks(self._tiles, self._load_of_tile, bases)

    def done(self, chunks: Iterable[Chunk[Any]], reader: WindowReader) -> Iterator[Done]:
        """Do some of the chunks, in their order."""
        for asked, answers in answered(map(self._ask, chunks), reader):
            rows = _answered_rows(asked, answers)
            table = self._compared(as_table(self._columns(rows), self.schema), asked.rows)
            contigs = {row.window.contig for row, _ in rows if row.window is not None}
            yield Done(asked.chunk, numbered_by(table, [row.number for row in asked.rows]), contigs)

    def _named(self, records: Iterable[Variant]) -> Iterator[Variant]:
        """Records, their contigs noted."""
        for variant in records:
            self._names[variant.chrom] = None
            yield variant

    def _planned(self, records: Iterable[Variant]) -> Iterator[PlannedAllele]:
        for row in plan_alleles(records, self.reference, self.window, self.settings.context):
            if self.settings.strict and row.status is not Status.ok:
                raise InputError(f"{self._records.name}: {row} is {row.status}, and --strict allows ok only")
            yield row

    def _columns(self, rows: ScoredRows) -> dict[str, list[Any]]:
        kept = {RECORD: [row.variant.record for row, _ in rows]} if self.header is not None else {}
        return columns_of(rows) | kept

    def _load_of_tile(self, tile: list[NumberedRow]) -> Load:
        """Of rows that share a window, or of rows that none is read for."""
        load = self._loads.of_window((row.variant, row.alt) for _, row in tile)
        return load if tile[0][1].window is not None else Load(load.rows, 0, load.bytes)

    def _numbered(self, chunk: Chunk[Any]) -> Iterator[NumberedRow]:
        if self.settings.context == "tiled":
            return itertools.chain.from_iterable(chunk.items)
        return enumerate(self._planned(chunk.items), chunk.first_row)

    def _ask(self, chunk: Chunk[Any]) -> tuple[_Asked, list[Request]]:
        """What to read for a chunk's rows: those of one window share its reading."""
        rows = [self._row(number, planned) for number, planned in self._numbered(chunk)]
        windows: dict[Window, WindowQuestion] = {}
        for question in (row.question for row in rows if row.question is not None):
            shared = windows.setdefault(question.window, WindowQuestion(question.window))
            shared.alleles.setdefault(question.placed.allele, question)
        requests = {each.request(self.reference, self._strands): each for each in windows.values()}
        return _Asked(chunk, rows, requests), list(requests)

    def _row(self, number: int, planned: PlannedAllele) -> _Row:
        if planned.allele is None or planned.window is None:
            return _Row(number, planned, None)
        settings = self.settings
        question = AlleleQuestion.of(planned.allele, planned.window, settings.scores, settings.span)
        kind = None if self.background is None else allele_class(planned.allele, self.reference)
        return _Row(number, planned, question, kind)

    def _compared(self, table: pa.Table, rows: list[_Row]) -> pa.Table:
        """Rows with their percentiles, where there is a background."""
        if self.background is None:
            return table
        rows_of = defaultdict[str, list[int]](list)
        for at, row in enumerate(rows):
            if row.kind is not None:
                rows_of[row.kind].append(at)
        arrays = {kind: np.array(each) for kind, each in rows_of.items()}
        return with_percentiles(table, self.background, arrays, self.settings.scores)


def _answered_rows(asked: _Asked, answers: Mapping[Request, WindowAnswer]) -> ScoredRows:
    """The rows with their values, in order; none where nothing was asked."""
    found = {each.window: each.values(answers[request]) for request, each in asked.requests.items()}
    return [
        (row.planned, found[row.question.window][row.question.placed.allele] if row.question else {})
        for row in asked.rows
    ]


def _reference_path(settings: ScoreSettings, records: VariantReader) -> str:
    if named := settings.fasta or os.environ.get("JANUSDNA_FASTA"):
        return named
    if records.reference is None:
        found = "its header has no ##reference"
    elif Path(records.reference).is_file():
        return records.reference
    else:
        found = f"the ##reference of its header, {records.reference}, is not here"
    raise InputError(f"{records.name}: {found}; pass --fasta or set JANUSDNA_FASTA")
