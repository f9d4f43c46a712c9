"""From records to rows to come: each ALT allele with its window, or with the reason why it has none."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from janusdna import MIN_LENGTH
from janusdna_cli.errors import InputError
from janusdna_cli.genome.agreement import NamesSeen
from janusdna_cli.genome.alleles import Allele, Status, is_exchanged, resolve
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.variant import Variant
from janusdna_cli.genome.windows import CONTEXTS, Context, Window

__all__ = ["PlannedAllele", "plan_alleles"]

_ASSEMBLY_RECORDS = 1000
_ASSEMBLY_MISMATCHES = 20
_EXCHANGED = 5

_log = logging.getLogger(__name__)


class PlannedAllele(NamedTuple):
    """One output row before its scores; an allele and a window where its status is ok."""

    variant: Variant
    alt: str
    status: Status
    allele: Allele | None = None
    window: Window | None = None

    def __str__(self) -> str:
        variant = self.variant
        return f"{variant.chrom}:{variant.pos} {variant.ref}>{self.alt}"


def plan_alleles(
    records: Iterable[Variant], reference: Reference, window: int, *, context: Context, vcf: str
) -> Iterator[PlannedAllele]:
    """One row for each ALT of each record, in order; one for a record without ALT.

    The first 1,000 records are placed before the first row is given, so that a VCF of another assembly
    ends the run before any work. What else the records and the reference disagree on is a warning after the
    last row.

    Args:
        records: What the file holds.
        reference: The genome.
        window: Bases of context.
        context: Which of `CONTEXTS`.
        vcf: The file, as messages name it.

    Raises:
        InputError: If REF disagrees with the reference in more than half of the first records.
    """
    agreement = _Agreement(vcf, reference)
    plans = _plans(records, reference, window, CONTEXTS[context], agreement)
    first = list(itertools.islice(plans, _ASSEMBLY_RECORDS))
    agreement.check_assembly()
    return _rows(itertools.chain(first, plans), agreement)


def _plans(
    records: Iterable[Variant],
    reference: Reference,
    size: int,
    place: Callable[[str, int, int, int], Window],
    agreement: _Agreement,
) -> Iterator[list[PlannedAllele]]:
    for variant in records:
        rows = [_plan(variant, alt, reference, size, place) for alt in variant.alts or (".",)]
        agreement.add(variant, rows)
        yield rows


def _rows(plans: Iterable[list[PlannedAllele]], agreement: _Agreement) -> Iterator[PlannedAllele]:
    yield from itertools.chain.from_iterable(plans)
    agreement.warn()


def _plan(
    variant: Variant,
    alt: str,
    reference: Reference,
    size: int,
    place: Callable[[str, int, int, int], Window],
) -> PlannedAllele:
    allele = resolve(reference, variant, alt)
    if isinstance(allele, Status):
        return PlannedAllele(variant, alt, allele)
    longest = max(1, size // 4)
    window = place(allele.contig, allele.start, size, reference.lengths[allele.contig])
    if len(window) < MIN_LENGTH:
        return PlannedAllele(variant, alt, Status.contig_too_short)
    alt_length = len(window) + len(allele.alt) - len(allele.ref)
    if max(len(allele.ref), len(allele.alt)) > longest or alt_length < MIN_LENGTH:
        return PlannedAllele(variant, alt, Status.too_long)
    return PlannedAllele(variant, alt, Status.ok, allele, window)


class _Agreement:
    """Counts the records whose contig or REF is not the reference's."""

    def __init__(self, vcf: str, reference: Reference) -> None:
        self._vcf = vcf
        self._reference = reference
        self._names = NamesSeen(vcf, "records", reference)
        self._records = self._mismatches = self._exchanged = 0

    def add(self, variant: Variant, rows: list[PlannedAllele]) -> None:
        self._names.find(variant.chrom)
        self._records += 1
        if any(row.status is Status.ref_mismatch for row in rows):
            self._mismatches += 1
            self._exchanged += is_exchanged(self._reference, variant)

    def check_assembly(self) -> None:
        """A handful of mismatches is a handful of bad records, whatever their share."""
        if self._mismatches < _ASSEMBLY_MISMATCHES or 2 * self._mismatches <= self._records:
            return
        found = f"REF differs in {self._mismatches:,} of the first {self._records:,} records"
        if self._is_exchanged:
            raise InputError(f"{self._vcf}: {found}, {self._exchange}")
        raise InputError(
            f"{self._vcf}: this VCF is probably on another assembly than {self._reference.path}: {found}; "
            "pass the --fasta it was called on"
        )

    def warn(self) -> None:
        self._names.warn()
        if self._is_exchanged:
            _log.warning(
                "%s: REF differs in %s records, %s", self._vcf, f"{self._mismatches:,}", self._exchange
            )

    @property
    def _is_exchanged(self) -> bool:
        """By chance ALT is what the reference has at a third of the sites where REF is not."""
        return self._exchanged >= _EXCHANGED and 2 * self._exchanged > self._mismatches

    @property
    def _exchange(self) -> str:
        path = self._reference.path
        return (
            f"but at {self._exchanged:,} of these {path} has ALT: REF and ALT are exchanged, as in VCFs made "
            f"from PLINK files; `bcftools norm -c s -f {path}` or plink2's --ref-from-fa puts them right"
        )
