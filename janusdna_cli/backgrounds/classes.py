"""Which alleles are alike: the classes within which scores are compared.

Of a normalised allele, so that the class does not depend on how a record was written:

SNV:C>T:CpG         one base for another, on the strand where it was A or C; of a C whether it is in a CpG
MNV:2               as many bases as there were, by the number of those that differ
deletion:5-8:repeat by length, and whether the deleted unit stands once more beside the place
insertion:3         likewise
shortening:5-8      some bases for fewer others, by how many there were
lengthening:5-8     some bases for more others, by how many there are
"""

from __future__ import annotations

from collections.abc import Iterator

from janusdna_cli.genome.alleles import Allele
from janusdna_cli.genome.fasta import Reference

__all__ = [
    "all_classes",
    "allele_class",
    "length_bins",
    "name_of_length",
    "substitution_class",
    "unit_of",
]

_SUBSTITUTIONS = ("A>C", "A>G", "A>T", "C>A", "C>G", "C>T")
_FOLDED = str.maketrans("ACGT", "TGCA")
_LONGEST_OF_ITS_OWN = 4


def allele_class(allele: Allele, reference: Reference) -> str | None:
    """The class of a normalised allele; None of one that changes nothing."""
    ref, alt = allele.ref, allele.alt
    if ref == alt:
        return None
    if len(ref) == len(alt) == 1:
        return _substitution(allele, reference)
    if len(ref) == len(alt):
        return f"MNV:{name_of_length(len(allele.differing))}"
    if ref and alt:
        kind = "shortening" if len(ref) > len(alt) else "lengthening"
        return f"{kind}:{name_of_length(max(len(ref), len(alt)))}"
    kind = "deletion" if ref else "insertion"
    repeat = ":repeat" if _unit_stands_beside(allele, reference) else ""
    return f"{kind}:{name_of_length(len(ref or alt))}{repeat}"


def all_classes(longest: int) -> dict[str, list[str]]:
    """Every class of alleles up to so many bases, by kind: SNV, indel, other."""
    lengths = [name_of_length(last) for _, last in length_bins(longest)]
    indels = [f"{kind}:{length}" for kind in ("deletion", "insertion") for length in lengths]
    return {
        "SNV": [f"SNV:{each}" for each in _SUBSTITUTIONS]
        + [f"SNV:{each}:CpG" for each in _SUBSTITUTIONS if each.startswith("C")],
        "indel": [f"{each}{repeat}" for each in indels for repeat in ("", ":repeat")],
        "other": [f"{k}:{length}" for k in ("MNV", "shortening", "lengthening") for length in lengths[1:]],
    }


def substitution_class(ref: str, alt: str, *, is_cpg: bool) -> str:
    """The class of one base for another.

    Args:
        ref: The reference's base.
        alt: What stands there instead.
        is_cpg: Whether the reference's base is the C or the G of a CpG.
    """
    change = f"{ref}>{alt}"
    if change not in _SUBSTITUTIONS:
        change = change.translate(_FOLDED)
    return f"SNV:{change}{':CpG' if is_cpg else ''}"


def length_bins(longest: int) -> Iterator[tuple[int, int]]:
    """First and last length of 1, 2, 3, 4, 5-8, 9-16, ... up to the one of `longest`, which ends there."""
    first = 1
    while first <= longest:
        last = first if first <= _LONGEST_OF_ITS_OWN else 2 * (first - 1)
        yield first, min(last, longest)
        first = last + 1


def name_of_length(length: int) -> str:
    """The bin of a length: `3`, `5-8`, `9-16`, ..."""
    if length <= _LONGEST_OF_ITS_OWN:
        return str(length)
    last = 1 << (length - 1).bit_length()
    return f"{last // 2 + 1}-{last}"


def unit_of(bases: bytes) -> bytes:
    """The shortest bases that, once or several times, make these."""
    return bases[: (bases + bases).find(bases, 1)]


def _substitution(allele: Allele, reference: Reference) -> str:
    is_cpg = allele.ref in b"CG" and _is_in_cpg(allele, reference)
    return substitution_class(allele.ref.decode(), allele.alt.decode(), is_cpg=is_cpg)


def _is_in_cpg(allele: Allele, reference: Reference) -> bool:
    start = allele.start if allele.ref == b"C" else max(0, allele.start - 1)
    end = min(reference.lengths[allele.contig], start + 2)
    return reference.fetch(allele.contig, start, end) == b"CG"


def _unit_stands_beside(allele: Allele, reference: Reference) -> bool:
    """The allele is as far left as it can be: what it could have been moved over stands to its right."""
    unit = unit_of(allele.ref or allele.alt)
    end = min(reference.lengths[allele.contig], allele.end + len(unit))
    return reference.fetch(allele.contig, allele.end, end) == unit
