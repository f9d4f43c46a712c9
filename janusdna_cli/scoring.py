"""Variants in, a row of scores per ALT allele out.

    records -> planned alleles -> chunks -> requests -> readings -> scores -> rows

Every record has its rows, in input order, scored or with the reason why not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna_cli.allele_plan import PlannedAllele, plan_alleles
from janusdna_cli.allele_scores import (
    SCORES,
    AlleleScores,
    PositionReading,
    around,
    score_allele,
    wanted_scores,
)
from janusdna_cli.errors import InputError
from janusdna_cli.genome.alleles import Allele, Status
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.haplotypes import haplotype
from janusdna_cli.genome.variant import Variant
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.genome.windows import Window
from janusdna_cli.progress import progress
from janusdna_cli.session import (
    ModelSettings,
    Summary,
    encode_window,
    in_chunks,
    is_seekable,
    open_model,
    provenance,
    stem,
    unannounced,
    window_size,
)
from janusdna_cli.tables import VARIANT_SCHEMA, Format, check_destination, open_table, table_format
from janusdna_cli.windowing import BOTH_STRANDS, FORWARD, Request, WindowReader

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
        overwrite: Replace an output that exists.
        strict: Make the first allele that cannot be scored an error.

    Raises:
        InputError: At an unknown score or a span of less than 1.
    """

    vcf: str
    fasta: str | None = None
    output: str | None = None
    format: Format | None = None
    scores: tuple[str, ...] | None = None
    span: int = 128
    overwrite: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        for score in self.scores or ():
            if score not in SCORES:
                raise InputError(f"no score is called {score!r}: expected some of {', '.join(SCORES)}")
        if self.span < 1:
            raise InputError(f"span is {self.span}: expected at least 1 base")


def score_variants(settings: ScoreSettings) -> Summary:
    """Score every ALT allele of a VCF and write the table.

    Raises:
        InputError: If a file cannot be read or written, or belongs to another assembly.
        CheckpointError: If the model cannot be used.
    """
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
        planned = plan_alleles(records, self.reference, self.window, vcf=self.settings.vcf)
        with (
            open_table(
                output, VARIANT_SCHEMA, form, overwrite=self.settings.overwrite, metadata=self._metadata
            ) as table,
            progress("Scoring", self.total, "alleles", quiet=self.settings.quiet) as bar,
        ):
            reader = WindowReader(
                self.model, batch_bp=self.settings.batch_bp, on_batch=lambda bases: bar.advance(0, bases)
            )
            for chunk in in_chunks(self._checked(planned), self._bytes_in_flight):
                table.write(_columns(chunk, self._score(chunk, reader)))
                summary.counts.update(row.status for row in chunk)
                bar.advance(len(chunk))
        return summary.finish(reader)

    def _metadata(self) -> dict[str, Any]:
        found = provenance(self.settings, self.model, self.reference, self.contigs, self.window)
        scores = self.settings.scores
        return found | {"scores": "default" if scores is None else list(scores), "span": self.settings.span}

    def _checked(self, planned: Iterable[PlannedAllele]) -> Iterator[PlannedAllele]:
        for row in planned:
            if self.settings.strict and row.status is not Status.ok:
                raise InputError(f"{self.settings.vcf}: {row} is {row.status}, and --strict allows ok only")
            if row.window is not None:
                self.contigs[row.window.contig] = None
            yield row

    def _wanted(self, allele: Allele) -> frozenset[str]:
        return wanted_scores(allele, self.settings.scores)

    def _bytes_in_flight(self, row: PlannedAllele) -> int:
        if row.allele is None or row.window is None:
            return 0
        around_it = 4 * self.settings.span if self._reads_alternative(row.allele) else 0
        targets = 1 + around_it + len(row.allele.ref) + len(row.allele.alt)
        return 2 * len(row.window) + 4 * targets * (8 + self.model.config.hidden_size)

    def _score(self, chunk: list[PlannedAllele], reader: WindowReader) -> list[AlleleScores]:
        """The rows' scores, in order: a reading for each REF window and each ALT haplotype."""
        references = self._reference_requests(chunk)
        alternatives = {
            i: self._alternative_request(row.allele, row.window)
            for i, row in enumerate(chunk)
            if row.allele and row.window and self._reads_alternative(row.allele)
        }
        requests = [*references.values(), *alternatives.values()]
        answers = [PositionReading(*pair) for pair in zip(requests, reader.read(requests), strict=True)]
        by_window = dict(zip(references, answers, strict=False))
        by_row = dict(zip(alternatives, answers[len(references) :], strict=True))
        return [
            self._allele_scores(row.allele, row.window, by_window[row.window], by_row.get(i))
            if row.allele and row.window
            else AlleleScores()
            for i, row in enumerate(chunk)
        ]

    def _allele_scores(
        self, allele: Allele, window: Window, ref: PositionReading, alt: PositionReading | None
    ) -> AlleleScores:
        at = allele.start - window.start
        return score_allele(allele, at, self.settings.span, self._wanted(allele), ref, alt)

    def _reads_alternative(self, allele: Allele) -> bool:
        return not self._wanted(allele).isdisjoint({"delta_pll", "embedding"})

    def _reference_requests(self, chunk: list[PlannedAllele]) -> dict[Window, Request]:
        targets: dict[Window, list[npt.NDArray[np.int64]]] = {}
        for row in chunk:
            if row.allele and row.window:
                targets.setdefault(row.window, []).append(self._reference_targets(row.allele, row.window))
        return {
            window: Request(
                encode_window(self.reference, window), np.unique(np.concatenate(at)), self.strands
            )
            for window, at in targets.items()
        }

    def _reference_targets(self, allele: Allele, window: Window) -> npt.NDArray[np.int64]:
        at = allele.start - window.start
        site = np.array([min(at, len(window) - 1)])
        if self._reads_alternative(allele):
            return np.union1d(site, around(at, len(allele.ref), self.settings.span, len(window)))
        return np.union1d(site, at + np.array(allele.differing, dtype=np.int64))

    def _alternative_request(self, allele: Allele, window: Window) -> Request:
        ids = tokens.encode(haplotype(self.reference, window, allele))
        at = allele.start - window.start
        return Request(ids, around(at, len(allele.alt), self.settings.span, len(ids)), self.strands)


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
