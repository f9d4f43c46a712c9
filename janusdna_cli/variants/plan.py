"""From records to rows to come: each ALT allele with its window, or with the reason why it has none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from janusdna import MIN_LENGTH
from janusdna_cli.errors import InputError
from janusdna_cli.genome.alleles import Allele, Status, resolve
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.variant import Variant
from janusdna_cli.genome.windows import CONTEXTS, Context, Window

__all__ = ["PlannedAllele", "plan_alleles"]

_ASSEMBLY_RECORDS = 1000
_ASSEMBLY_MISMATCHES = 20


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
    ends the run before any work.

    Args:
        records: What the file holds.
        reference: The genome.
        window: Bases of context.
        context: Which of `CONTEXTS`.
        vcf: The file, as messages name it.

    Raises:
        InputError: If REF disagrees with the reference in more than half of the first records.
    """
    place = CONTEXTS[context]
    plans = (
        [_plan(variant, alt, reference, window, place) for alt in variant.alts or (".",)]
        for variant in records
    )
    first = list(itertools.islice(plans, _ASSEMBLY_RECORDS))
    _check_assembly(first, reference, vcf)
    return itertools.chain.from_iterable(itertools.chain(first, plans))


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


def _check_assembly(records: list[list[PlannedAllele]], reference: Reference, vcf: str) -> None:
    """A handful of mismatches is a handful of bad records, whatever their share."""
    mismatches = sum(any(row.status is Status.ref_mismatch for row in rows) for rows in records)
    if mismatches >= _ASSEMBLY_MISMATCHES and 2 * mismatches > len(records):
        raise InputError(
            f"{vcf}: this VCF is probably on another assembly than {reference.path}: REF differs in "
            f"{mismatches:,} of the first {len(records):,} records; pass the --fasta it was called on"
        )
