"""Variants in, a row of scores per ALT allele out.

    records -> planned alleles -> chunks -> requests -> readings -> scores -> rows

With tiled windows the planned alleles are first brought together by window, and their scores back into
the input's order. Every record has its rows, in input order, scored or with the reason why not.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna_cli.errors import InputError
from janusdna_cli.genome.alleles import Allele, Status
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.variant import Variant
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.genome.windows import Window
from janusdna_cli.outputs.destinations import check_destination
from janusdna_cli.outputs.schemas import VARIANT_SCHEMA
from janusdna_cli.outputs.tables import Format, open_table, table_format
from janusdna_cli.reading.session import (
    ModelSettings,
    Summary,
    encode_window,
    in_chunks,
    in_step,
    is_seekable,
    open_model,
    provenance,
    stem,
    unannounced,
    window_size,
)
from janusdna_cli.reading.windowing import (
    BOTH_STRANDS,
    FORWARD,
    Haplotype,
    Request,
    WindowReader,
    WindowReading,
)
from janusdna_cli.runtime.progress import progress
from janusdna_cli.runtime.ranks import check_alone
from janusdna_cli.variants.order import InputOrder
from janusdna_cli.variants.plan import CONTEXTS, PlannedAllele, plan_alleles
from janusdna_cli.variants.scores import (
    SCORES,
    AlleleScores,
    PositionReading,
    around,
    score_allele,
    wanted_scores,
)

__all__ = ["SCORES", "ScoreSettings", "score_variants"]


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(ModelSettings):
    """What `score-variants` does.

    Attributes:
        vcf: VCF, VCF.gz or BCF; "-" for standard input.
        fasta: The reference; None for $JANUSDNA_FASTA, else the VCF header's ##reference.
        output: Where to; None for `<input stem>.janusdna.parquet` here; "-" for standard output.
        format: None tells it from the output's suffix.
        scores: Which of `SCORES` to compute where they are defined; None for llr of substitutions
            and delta_pll of the others.
        span: Bases on each side of an allele that delta_pll and the embedding distances read.
        context: "centered": each variant in the middle of its own window; "tiled": windows on a fixed grid,
            each read once for all variants in its middle half.
        overwrite: Replace an output that exists.
        strict: Make the first allele that cannot be scored an error.

    Raises:
        InputError: At an unknown score or context, or a span of less than 1.
    """

    vcf: str
    fasta: str | None = None
    output: str | None = None
    format: Format | None = None
    scores: tuple[str, ...] | None = None
    span: int = 128
    context: str = "centered"
    overwrite: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        for score in self.scores or ():
            if score not in SCORES:
                raise InputError(f"no score is called {score!r}: expected some of {', '.join(SCORES)}")
        if self.span < 1:
            raise InputError(f"span is {self.span}: expected at least 1 base")
        if self.context not in CONTEXTS:
            raise InputError(f"context is {self.context!r}: expected {' or '.join(CONTEXTS)}")


def score_variants(settings: ScoreSettings) -> Summary:
    """Score every ALT allele of a VCF and write the table.

    Raises:
        InputError: If a file cannot be read or written, or belongs to another assembly.
        CheckpointError: If the model cannot be used.
    """
    check_alone("score-variants")
    output = settings.output or f"{stem(settings.vcf)}.janusdna.parquet"
    form = table_format(output, settings.format)
    check_destination(output, overwrite=settings.overwrite)
    with (
        VariantReader.open(settings.vcf) as records,
        Reference.open(_reference_path(settings, records)) as reference,
    ):
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


ScoredRows = tuple[list[PlannedAllele], list[AlleleScores]]


class _Asked(NamedTuple):
    """Rows that are scored together, and their windows with the alleles and what was asked of each."""

    rows: list[PlannedAllele]
    windows: list[tuple[Window, list[Allele], Request]]


class _Scoring:
    """One run: the model, the reference and what the settings come to."""

    def __init__(self, settings: ScoreSettings, reference: Reference) -> None:
        self.settings = settings
        self.reference = reference
        self.total = _count_alleles(settings.vcf)
        self.model = open_model(settings)
        self.window = window_size(settings, self.model)
        self.strands = BOTH_STRANDS if settings.both_strands else FORWARD
        self.contigs: dict[str, None] = {}

    def run(self, records: Iterable[Variant], output: str, form: Format) -> Summary:
        summary = Summary(output, "alleles")
        planned = plan_alleles(
            records, self.reference, self.window, context=self.settings.context, vcf=self.settings.vcf
        )
        with (
            open_table(
                output, VARIANT_SCHEMA, form, overwrite=self.settings.overwrite, metadata=self._metadata
            ) as table,
            progress("Scoring", self.total, "alleles", quiet=self.settings.quiet) as bar,
        ):
            reader = WindowReader(
                self.model, batch_bp=self.settings.batch_bp, on_batch=lambda bases: bar.advance(0, bases)
            )
            work = self._by_tile if self.settings.context == "tiled" else self._one_by_one
            for rows, scores in work(self._checked(planned), reader):
                table.write(_columns(rows, scores))
                summary.counts.update(row.status for row in rows)
                bar.advance(len(rows))
        return summary.finish(reader)

    def _one_by_one(self, planned: Iterable[PlannedAllele], reader: WindowReader) -> Iterator[ScoredRows]:
        chunks = in_chunks(planned, lambda row: self._bytes_in_flight([row]))
        for asked, readings in in_step(map(self._ask, chunks), reader):
            yield asked.rows, self._scores(asked, readings)

    def _by_tile(self, planned: Iterable[PlannedAllele], reader: WindowReader) -> Iterator[ScoredRows]:
        """Every window is read once, wherever in the file its rows stand."""
        with InputOrder[PlannedAllele, AlleleScores]() as order:
            order.add((row, (row.window.contig, row.window.start) if row.window else None) for row in planned)
            yield from _ready(order)
            tiles = in_chunks(order.groups(), lambda tile: self._bytes_in_flight([row for _, row in tile]))
            for (numbers, asked), readings in in_step(map(self._ask_tiles, tiles), reader):
                order.answer(zip(numbers, self._scores(asked, readings), strict=True))
                yield from _ready(order)

    def _ask_tiles(
        self, tiles: list[list[tuple[int, PlannedAllele]]]
    ) -> tuple[tuple[list[int], _Asked], list[Request]]:
        numbers, rows = zip(*itertools.chain.from_iterable(tiles), strict=True)
        asked, requests = self._ask(list(rows))
        return (list(numbers), asked), requests

    def _metadata(self) -> dict[str, Any]:
        found = provenance(self.settings, self.model, self.reference, self.contigs, self.window)
        scores = self.settings.scores
        return found | {
            "scores": "default" if scores is None else list(scores),
            "span": self.settings.span,
            "context": self.settings.context,
        }

    def _checked(self, planned: Iterable[PlannedAllele]) -> Iterator[PlannedAllele]:
        for row in planned:
            if self.settings.strict and row.status is not Status.ok:
                raise InputError(f"{self.settings.vcf}: {row} is {row.status}, and --strict allows ok only")
            if row.window is not None:
                self.contigs[row.window.contig] = None
            yield row

    def _wanted(self, allele: Allele) -> frozenset[str]:
        return wanted_scores(allele, self.settings.scores)

    def _bytes_in_flight(self, rows: list[PlannedAllele]) -> int:
        """Of rows that share a window."""
        if rows[0].window is None:
            return 0
        return 2 * len(rows[0].window) + sum(self._bytes_read(row.allele) for row in rows if row.allele)

    def _bytes_read(self, allele: Allele) -> int:
        around_it = 4 * self.settings.span if self._reads_around(allele) else 0
        targets = 1 + around_it + len(allele.ref) + len(allele.alt)
        return 4 * targets * (8 + self.model.config.hidden_size)

    def _ask(self, rows: list[PlannedAllele]) -> tuple[_Asked, list[Request]]:
        """What to read for rows: those of one window share its reading."""
        by_window: dict[Window, dict[Allele, None]] = {}
        for row in rows:
            if row.allele and row.window:
                by_window.setdefault(row.window, {})[row.allele] = None
        requests = [self._request(window, list(alleles)) for window, alleles in by_window.items()]
        windows = zip(by_window.items(), requests, strict=True)
        return _Asked(
            rows, [(window, list(alleles), asked) for (window, alleles), asked in windows]
        ), requests

    def _scores(self, asked: _Asked, readings: list[WindowReading]) -> list[AlleleScores]:
        """The rows' scores, in order: equal alleles of one window share theirs."""
        found: dict[tuple[Window | None, Allele | None], AlleleScores] = {}
        for (window, alleles, request), reading in zip(asked.windows, readings, strict=True):
            ref, haplotypes = PositionReading(request, reading), iter(reading.haplotypes)
            for allele in alleles:
                alt = next(haplotypes) if self._reads_alternative(allele) else None
                at, wanted = allele.start - window.start, self._wanted(allele)
                found[window, allele] = score_allele(allele, at, self.settings.span, wanted, ref, alt)
        nothing = AlleleScores()
        return [found.get((row.window, row.allele), nothing) for row in asked.rows]

    def _reads_around(self, allele: Allele) -> bool:
        return not self._wanted(allele).isdisjoint({"delta_pll", "embedding"})

    def _reads_alternative(self, allele: Allele) -> bool:
        return self._reads_around(allele) and allele.ref != allele.alt

    def _request(self, window: Window, alleles: list[Allele]) -> Request:
        ids = encode_window(self.reference, window)
        targets = np.unique(np.concatenate([self._targets(allele, window) for allele in alleles]))
        haplotypes = [
            self._haplotype(allele, window) for allele in alleles if self._reads_alternative(allele)
        ]
        return Request(ids, targets, self.strands, haplotypes)

    def _targets(self, allele: Allele, window: Window) -> npt.NDArray[np.int64]:
        at = allele.start - window.start
        site = np.array([min(at, len(window) - 1)])
        if self._reads_around(allele):
            return np.concatenate((site, around(at, len(allele.ref), self.settings.span, len(window))))
        if allele.is_substitution:
            return np.concatenate((site, at + np.array(allele.differing, dtype=np.int64)))
        return site

    def _haplotype(self, allele: Allele, window: Window) -> Haplotype:
        start, end = allele.start - window.start, allele.end - window.start
        near = around(start, len(allele.ref), self.settings.span, len(window))
        return Haplotype(start, end, tokens.encode(allele.alt), int(near[0]), int(near[-1]) + 1)


def _ready(order: InputOrder[PlannedAllele, AlleleScores]) -> Iterator[ScoredRows]:
    for ready in order.ready():
        yield [row for row, _ in ready], [found or AlleleScores() for _, found in ready]


def _columns(chunk: list[PlannedAllele], scores: list[AlleleScores]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "chrom": [row.variant.chrom for row in chunk],
        "pos": [row.variant.pos for row in chunk],
        "id": [row.variant.id for row in chunk],
        "ref": [row.variant.ref for row in chunk],
        "alt": [row.alt for row in chunk],
        "status": [str(row.status) for row in chunk],
        "window_start": [row.window.start if row.window else None for row in chunk],
        "window_end": [row.window.end if row.window else None for row in chunk],
    }
    computed = [name for name in VARIANT_SCHEMA.names if name not in columns]
    return columns | {name: [getattr(found, name) for found in scores] for name in computed}
