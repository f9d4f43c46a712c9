"""Variants in, a row of scores per ALT allele out.

    records -> planned alleles -> chunks -> questions -> requests -> answers -> values -> rows

With tiled windows the planned alleles are first brought together by window, and their values back into
the input's order. Every record has its rows, in input order, scored or with the reason why not.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from janusdna_cli.errors import InputError
from janusdna_cli.genome.agreement import warn_of_lengths
from janusdna_cli.genome.alleles import Status
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.genome.windows import Window
from janusdna_cli.outputs.destinations import check_destination
from janusdna_cli.outputs.formats import Format, table_format
from janusdna_cli.outputs.names import default_output
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.chunks import answered, in_chunks
from janusdna_cli.reading.opening import open_model, window_size
from janusdna_cli.reading.provenance import Provenance
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD, Request
from janusdna_cli.reading.survey import is_seekable, unannounced
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.runtime.progress import progress
from janusdna_cli.runtime.ranks import check_alone
from janusdna_cli.runtime.summary import Summary
from janusdna_cli.variants.order import InputOrder
from janusdna_cli.variants.plan import PlannedAllele, plan_alleles
from janusdna_cli.variants.questions import AlleleQuestion, Values, WindowQuestion
from janusdna_cli.variants.settings import ScoreSettings
from janusdna_cli.variants.table import VARIANT_SCHEMA, ScoredRows, columns_of

__all__ = ["ScoreSettings", "score_variants"]


def score_variants(settings: ScoreSettings) -> Summary:
    """Score every ALT allele of a VCF and write the table.

    Raises:
        InputError: If a file cannot be read or written, or belongs to another assembly.
        CheckpointError: If the model cannot be used.
    """
    check_alone("score-variants")
    output = settings.output or default_output(settings.vcf)
    form = table_format(output, settings.format)
    check_destination(output, overwrite=settings.overwrite)
    with (
        VariantReader.open(settings.vcf) as records,
        Reference.open(_reference_path(settings, records)) as reference,
    ):
        warn_of_lengths(records.name, records.contig_lengths, reference)
        return _Scoring(settings, reference).run(records, output, form)


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


def _count_alleles(vcf: str) -> int | None:
    """Rows to come, and a broken line found before the work instead of in its midst; None of a pipe."""
    if not is_seekable(vcf):
        return None
    with unannounced(), VariantReader.open(vcf) as records:
        return sum(max(1, len(variant.alts)) for variant in records)


class _Row(NamedTuple):
    """A row to come, by its number in the input; asked about where it has a window."""

    number: int
    planned: PlannedAllele
    question: AlleleQuestion | None


class _Chunk(NamedTuple):
    """Rows that are scored together, and what is asked for them."""

    rows: list[_Row]
    requests: dict[Request, WindowQuestion]


Numbered = tuple[int, PlannedAllele]


class _Scoring:
    """One run: the model, the reference and what the settings come to."""

    def __init__(self, settings: ScoreSettings, reference: Reference) -> None:
        self.settings = settings
        self.reference = reference
        self.total = _count_alleles(settings.vcf)
        self.model = open_model(settings)
        self.window = window_size(settings, self.model)
        self.strands = BOTH_STRANDS if settings.both_strands else FORWARD

    def run(self, records: VariantReader, output: str, form: Format) -> Summary:
        settings, summary = self.settings, Summary(output, "alleles")
        origin = Provenance(settings, self.model, self.reference, self.window, is_kept=form is Format.parquet)
        planned = plan_alleles(
            records, self.reference, self.window, context=settings.context, vcf=records.name
        )
        with (
            origin,
            open_table(
                output,
                VARIANT_SCHEMA,
                form,
                overwrite=settings.overwrite,
                metadata=lambda: origin.facts() | self._facts(),
            ) as table,
            progress("Scoring", self.total, "alleles", quiet=settings.quiet) as bar,
        ):
            reader = WindowReader(
                self.model, batch_bp=settings.batch_bp, on_batch=lambda bases: bar.advance(0, bases)
            )
            work = self._by_tile if settings.context == "tiled" else self._one_by_one
            for rows in work(self._checked(planned, origin), reader):
                table.write(columns_of(rows))
                summary.counts.update(planned.status for planned, _ in rows)
                bar.advance(len(rows))
        return summary.finish(reader.windows, reader.bases)

    def _facts(self) -> dict[str, Any]:
        scores = self.settings.scores
        return {
            "scores": "default" if scores is None else list(scores),
            "span": self.settings.span,
            "context": self.settings.context,
        }

    def _checked(self, planned: Iterable[PlannedAllele], origin: Provenance) -> Iterator[PlannedAllele]:
        for row in planned:
            if self.settings.strict and row.status is not Status.ok:
                raise InputError(f"{self.settings.vcf}: {row} is {row.status}, and --strict allows ok only")
            if row.window is not None:
                origin.reads(row.window.contig)
            yield row

    def _one_by_one(self, planned: Iterable[PlannedAllele], reader: WindowReader) -> Iterator[ScoredRows]:
        for rows in self._scored(([numbered] for numbered in enumerate(planned)), reader):
            yield [(row.planned, values) for row, values in rows]

    def _by_tile(self, planned: Iterable[PlannedAllele], reader: WindowReader) -> Iterator[ScoredRows]:
        """Every window is read once, wherever in the file its rows stand."""
        with InputOrder[PlannedAllele, Values]() as order:
            order.add((row, (row.window.contig, row.window.start) if row.window else None) for row in planned)
            yield from _ready(order)
            for rows in self._scored(order.groups(), reader):
                order.answer((row.number, values) for row, values in rows)
                yield from _ready(order)

    def _scored(
        self, groups: Iterable[list[Numbered]], reader: WindowReader
    ) -> Iterator[list[tuple[_Row, Values]]]:
        """Rows with their values, of groups that share a window."""
        asked = ([self._asked(*numbered) for numbered in group] for group in groups)
        chunks = in_chunks(asked, self._bytes_in_flight)
        for chunk, answers in answered(map(self._ask, chunks), reader):
            yield _answered_rows(chunk, answers)

    def _asked(self, number: int, planned: PlannedAllele) -> _Row:
        if planned.allele is None or planned.window is None:
            return _Row(number, planned, None)
        settings = self.settings
        question = AlleleQuestion.of(planned.allele, planned.window, settings.scores, settings.span)
        return _Row(number, planned, question)

    def _bytes_in_flight(self, rows: list[_Row]) -> int:
        """Of rows that share a window."""
        letters = sum(len(row.planned.variant.ref) + len(row.planned.alt) for row in rows)
        questions = [row.question for row in rows if row.question is not None]
        if not questions:
            return letters
        position = 4 * (8 + self.model.config.hidden_size)
        read = 2 * len(questions[0].window) + position * sum(each.positions_read for each in questions)
        return letters + read

    def _ask(self, groups: list[list[_Row]]) -> tuple[_Chunk, list[Request]]:
        """What to read for rows: those of one window share its reading."""
        rows = list(itertools.chain.from_iterable(groups))
        windows: dict[Window, WindowQuestion] = {}
        for question in (row.question for row in rows if row.question is not None):
            shared = windows.setdefault(question.window, WindowQuestion(question.window))
            shared.alleles.setdefault(question.placed.allele, question)
        requests = {each.request(self.reference, self.strands): each for each in windows.values()}
        return _Chunk(rows, requests), list(requests)


def _answered_rows(chunk: _Chunk, answers: Mapping[Request, WindowAnswer]) -> list[tuple[_Row, Values]]:
    """The rows with their values, in order; none where nothing was asked."""
    found = {asked.window: asked.values(answers[request]) for request, asked in chunk.requests.items()}
    return [
        (row, found[row.question.window][row.question.placed.allele] if row.question else {})
        for row in chunk.rows
    ]


def _ready(order: InputOrder[PlannedAllele, Values]) -> Iterator[ScoredRows]:
    for ready in order.ready():
        yield [(planned, values or {}) for planned, values in ready]
