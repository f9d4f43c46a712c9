"""From records to rows to come: each ALT allele with its window, or with the reason why it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from janusdna import MIN_LENGTH
from janusdna_cli.genome.alleles import Allele, Status, resolve
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.variant import Variant
from janusdna_cli.genome.windows import CONTEXTS, Context, Window

__all__ = ["PlannedAllele", "plan_alleles"]


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
    records: Iterable[Variant], reference: Reference, window: int, context: Context
) -> Iterator[PlannedAllele]:
    """One row for each ALT of each record, in order; one for a record without ALT.

    Args:
        records: What the file holds. Its bytes, where they are kept, go with a record's first row.
        reference: The genome.
        window: Bases of context.
        context: Which of `CONTEXTS`.
    """
    place = CONTEXTS[context]
    for variant in records:
        first, *others = variant.alts or (".",)
        yield _plan(variant, first, reference, window, place)
        site = replace(variant, record=None) if others else variant
        for alt in others:
            yield _plan(site, alt, reference, window, place)


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
