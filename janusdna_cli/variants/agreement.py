"""Whether a VCF and a FASTA are of one assembly: told before any work, and of all rows after the last."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from janusdna_cli.errors import InputError
from janusdna_cli.genome.agreement import NamesSeen
from janusdna_cli.genome.alleles import Status, is_exchanged, resolve
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.variant import Variant

__all__ = ["RowsSeen", "of_one_assembly"]

_ASSEMBLY_RECORDS = 1000
_ASSEMBLY_MISMATCHES = 20
_EXCHANGED = 5

_log = logging.getLogger(__name__)


def of_one_assembly(records: Iterable[Variant], reference: Reference, vcf: str) -> Iterator[Variant]:
    """All records, the first 1,000 of them compared with the reference before the first is given.

    Args:
        records: What the file holds.
        reference: The genome.
        vcf: The file, as messages name it.

    Raises:
        InputError: If REF disagrees with the reference in more than half of the first records: of a handful
            of mismatches only, that is a handful of bad records.
    """
    rest = iter(records)
    first = list(itertools.islice(rest, _ASSEMBLY_RECORDS))
    mismatches = [variant for variant in first if _differs(variant, reference)]
    if len(mismatches) >= _ASSEMBLY_MISMATCHES and 2 * len(mismatches) > len(first):
        found = f"REF differs in {len(mismatches):,} of the first {len(first):,} records"
        exchanged = sum(is_exchanged(reference, variant) for variant in mismatches)
        if _is_exchanged(exchanged, len(mismatches)):
            raise InputError(f"{vcf}: {found}, {_exchange(exchanged, reference)}")
        raise InputError(
            f"{vcf}: this VCF is probably on another assembly than {reference.path}: {found}; "
            "pass the --fasta it was called on"
        )
    return itertools.chain(first, rest)


class RowsSeen:
    """Notes rows whose contig or REF is not the reference's.

    Args:
        vcf: The file, as messages name it.
        reference: The genome.
    """

    def __init__(self, vcf: str, reference: Reference) -> None:
        self._vcf = vcf
        self._reference = reference
        self._names = NamesSeen(vcf, "alleles", reference)
        self._own: Reference | None = None  # one thread at a time reads a reference
        self._mismatches = self._exchanged = 0

    def add(self, rows: pa.Table) -> None:
        """Note rows of the table."""
        for each in rows.column("chrom").value_counts().to_pylist():
            self._names.add(each["values"], each["counts"])
        differing = rows.filter(pc.equal(rows.column("status"), str(Status.ref_mismatch)))
        self._mismatches += differing.num_rows
        for row in differing.select(["chrom", "pos", "ref", "alt"]).to_pylist():
            self._own = self._own or Reference.open(self._reference.path)
            variant = Variant(row["chrom"], row["pos"], None, row["ref"], (row["alt"],))
            self._exchanged += is_exchanged(self._own, variant)

    def warn(self) -> None:
        """Say what file and reference disagree on."""
        if self._own is not None:
            self._own.close()
        self._names.warn()
        if _is_exchanged(self._exchanged, self._mismatches):
            found = f"{self._mismatches:,}"
            _log.warning(
                "%s: REF differs in %s alleles, %s",
                self._vcf,
                found,
                _exchange(self._exchanged, self._reference),
            )


def _differs(variant: Variant, reference: Reference) -> bool:
    return any(resolve(reference, variant, alt) is Status.ref_mismatch for alt in variant.alts)


def _is_exchanged(exchanged: int, mismatches: int) -> bool:
    """By chance ALT is what the reference has at a third of the sites where REF is not."""
    return exchanged >= _EXCHANGED and 2 * exchanged > mismatches


def _exchange(exchanged: int, reference: Reference) -> str:
    path = reference.path
    return (
        f"but at {exchanged:,} of these {path} has ALT: REF and ALT are exchanged, as in VCFs made "
        f"from PLINK files; `bcftools norm -c s -f {path}` or plink2's --ref-from-fa puts them right"
    )
