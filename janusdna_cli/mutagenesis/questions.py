"""What is asked of the reference for every allele of a stretch, and the rows that the answers come to.

Scores that one reading gives of all substitutions are computed of all at once. Those that read an allele's
haplotype, and deletions, are asked about one by one, as `score-variants` asks.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from janusdna import tokens
from janusdna_cli.backgrounds.background import Background
from janusdna_cli.backgrounds.classes import allele_class
from janusdna_cli.genome.alleles import Allele, Status
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Context, Window
from janusdna_cli.mutagenesis.alleles import DELETION, NO_ALLELE, Alleles
from janusdna_cli.outputs.tables import as_table
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.stretches import Stretch
from janusdna_cli.variants.percentiles import with_percentiles
from janusdna_cli.variants.plan import PlannedAllele, plan_alleles
from janusdna_cli.variants.questions import AlleleQuestion, Values
from janusdna_cli.variants.scores import ReadSubstitutions, Score, values_at_once, wanted_scores
from janusdna_cli.variants.table import VARIANT_SCHEMA

__all__ = ["Asking", "StretchQuestion", "outside_row"]

Integers = npt.NDArray[np.int64]

_ANY_SUBSTITUTION = Allele("", 0, b"A", b"C")
_STATUSES = tuple(Status)
_COMPUTED = {"window_start": np.int64, "window_end": np.int64} | {
    field.name: np.float32 for field in VARIANT_SCHEMA if pa.types.is_float32(field.type)
}


@dataclass(frozen=True)
class Asking:
    """How alleles are asked about.

    Attributes:
        window: Bases of context.
        context: Where in its window an allele is read.
        scores: Names of scores; None for the default ones.
        span: Bases on each side that some scores read.
        deletions: Whether each base is deleted, too.
        background: What scores are compared with; None where there is none.
    """

    window: int
    context: Context
    scores: tuple[str, ...] | None
    span: int
    deletions: bool
    background: Background | None = None

    @cached_property
    def of_substitutions(self) -> tuple[Score, ...]:
        """What is computed of a substitution."""
        return wanted_scores(_ANY_SUBSTITUTION, self.scores)

    @cached_property
    def one_by_one(self) -> tuple[Score, ...]:
        """What of it is computed of each for itself."""
        return tuple(score for score in self.of_substitutions if score.compute_all is None)

    def about(self, stretch: Stretch, window: Window, reference: Reference) -> StretchQuestion:
        """All that is asked about the bases of a stretch.

        Raises:
            InputError: If they cannot be read.
        """
        contig, start, end = stretch.chrom, stretch.start, stretch.end
        first, last = max(0, start - 1), min(end + 1, reference.lengths[contig])
        letters = reference.fetch(contig, first, last)
        bases = slice(start - first, end - first)
        alleles = Alleles(
            contig, start, letters[bases], letters[: bases.start], letters[bases.stop :], self.deletions
        )
        deleted = np.flatnonzero(alleles.alt == DELETION)
        plans = plan_alleles(alleles.variants(deleted), reference, self.window, self.context)
        planned = dict(zip(deleted.tolist(), plans, strict=True))
        return StretchQuestion(self, alleles, window, planned, self._classes(alleles, planned, reference))

    def _classes(
        self, alleles: Alleles, deletions: Mapping[int, PlannedAllele], reference: Reference
    ) -> dict[str, Integers]:
        """Rows by class, where scores are compared."""
        if self.background is None:
            return {}
        found = defaultdict[str, list[int]](list)
        for row, plan in deletions.items():
            if plan.allele is not None and (kind := allele_class(plan.allele, reference)) is not None:
                found[kind].append(row)
        return alleles.classes() | {kind: np.array(rows) for kind, rows in found.items()}


@dataclass(eq=False)
class StretchQuestion:
    """The alleles of a stretch, m rows, and what is asked about them.

    Attributes:
        asking: How.
        alleles: Which.
        window: Where the bases are read.
        deletions: By row.
        classes: Rows by the class within which their scores are compared.
    """

    asking: Asking
    alleles: Alleles
    window: Window
    deletions: Mapping[int, PlannedAllele]
    classes: Mapping[str, Integers]

    @cached_property
    def known(self) -> Integers:
        """Which of the bases are A, C, G or T."""
        return np.flatnonzero(tokens.is_base(self.alleles.ids))

    @property
    def sites(self) -> Integers:
        """Where the window is read for all substitutions."""
        return self.alleles.start - self.window.start + self.known

    @cached_property
    def one_by_one(self) -> dict[int, AlleleQuestion]:
        """By row, what is asked about an allele for itself."""
        asked = {
            row: AlleleQuestion.of(plan.allele, plan.window, self.asking.scores, self.asking.span)
            for row, plan in self.deletions.items()
            if plan.allele is not None and plan.window is not None
        }
        if scores := self.asking.one_by_one:
            for row in np.flatnonzero(self.alleles.alt >= 0).tolist():
                allele = self.alleles.substitution(row)
                question = AlleleQuestion.of(allele, self.window, self.asking.scores, self.asking.span)
                asked[row] = dataclasses.replace(question, scores=scores)
        return asked

    def rows(self, answer: WindowAnswer | None, values: Mapping[Window, Mapping[Allele, Values]]) -> pa.Table:
        """The table's rows.

        Args:
            answer: Of the window; None where none of its bases is A, C, G or T.
            values: What was asked one by one, by window.
        """
        alleles, count = self.alleles, len(self.alleles)
        computed = {name: _missing(count, kind) for name, kind in _COMPUTED.items()}
        if answer is not None:
            self._fill_substitutions(computed, answer)
        for row, question in self.one_by_one.items():
            for name, value in values[question.window][question.placed.allele].items():
                if value is not None:
                    computed[name][row] = value
            computed["window_start"][row] = question.window.start
            computed["window_end"][row] = question.window.end
        columns = {
            "chrom": pa.repeat(alleles.contig, count),
            "pos": alleles.pos,
            "id": pa.nulls(count, pa.string()),
            "ref": alleles.ref,
            "alt": alleles.alts,
            "status": self._statuses(),
        }
        table = as_table(columns | computed, VARIANT_SCHEMA)
        if self.asking.background is None:
            return table
        return with_percentiles(table, self.asking.background, self.classes, self.asking.scores)

    def _fill_substitutions(self, computed: Mapping[str, Any], answer: WindowAnswer) -> None:
        """What is computed of all at once."""
        alleles = self.alleles
        rows = np.flatnonzero(alleles.alt >= 0)
        base, alt = alleles.base[rows], alleles.alt[rows]
        read = ReadSubstitutions(
            answer.logp_at(self.sites), np.searchsorted(self.known, base), alleles.codes[base], alt
        )
        for name, values in values_at_once(self.asking.of_substitutions, read).items():
            computed[name][rows] = values
        computed["n_frac"][rows] = answer.n_frac
        computed["window_start"][rows] = self.window.start
        computed["window_end"][rows] = self.window.end

    def _statuses(self) -> Any:
        numbers = np.where(self.alleles.alt == NO_ALLELE, _STATUSES.index(Status.non_acgt), 0)
        for row, plan in self.deletions.items():
            numbers[row] = _STATUSES.index(plan.status)
        return pa.array(map(str, _STATUSES)).take(pa.array(numbers))


def _missing(count: int, kind: Any) -> Any:
    """Values that are to be filled in; those that are not become null."""
    return np.ma.MaskedArray(np.zeros(count, kind), mask=True)


def outside_row(stretch: Stretch) -> pa.Table:
    """The row of a region that cannot be read."""
    columns: dict[str, list[Any]] = {name: [None] for name in VARIANT_SCHEMA.names}
    columns |= {"chrom": [stretch.chrom], "pos": [stretch.start + 1], "status": [str(stretch.status)]}
    return as_table(columns | {"ref": ["N"], "alt": ["."]}, VARIANT_SCHEMA)
