"""What an ALT allele is, and where it sits in the reference once written the shortest way."""

import re
from dataclasses import dataclass
from enum import StrEnum

from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.variant import Variant

__all__ = ["Allele", "Status", "classify_alt", "is_exchanged", "normalise", "resolve"]

_BASES = re.compile(r"[ACGT]+", re.IGNORECASE)
_FIRST_PIECE = 64

# The bases that a letter of the reference which is none itself may be.
_STANDS_FOR = {b"R": b"AG", b"Y": b"CT", b"S": b"CG", b"W": b"AT", b"K": b"GT", b"M": b"AC"}
_STANDS_FOR |= {b"B": b"CGT", b"D": b"AGT", b"H": b"ACT", b"V": b"ACG"}
_STANDS_FOR |= dict.fromkeys((b"N", b"X", b"-"), b"ACGT")
_AGREE = frozenset((base, code[0]) for code, bases in _STANDS_FOR.items() for base in bases)


class Status(StrEnum):
    """What became of an allele."""

    ok = "ok"
    ref_mismatch = "ref_mismatch"
    no_contig = "no_contig"
    out_of_contig = "out_of_contig"
    symbolic = "symbolic"
    breakend = "breakend"
    spanning_deletion = "spanning_deletion"
    non_acgt = "non_acgt"
    no_alt = "no_alt"
    too_long = "too_long"
    contig_too_short = "contig_too_short"


@dataclass(frozen=True, slots=True)
class Allele:
    """A normalised allele: `ref`, the reference's bases from `start`, become `alt`.

    Attributes:
        contig: The FASTA's name.
        start: 0-based.
        ref: Upper case, may be empty.
        alt: Upper case, may be empty.
    """

    contig: str
    start: int
    ref: bytes
    alt: bytes

    @property
    def end(self) -> int:
        """After the replaced bases, 0-based."""
        return self.start + len(self.ref)

    @property
    def is_substitution(self) -> bool:
        """Whether as many bases come as go: SNVs, MNVs, and an ALT that equals REF."""
        return len(self.ref) == len(self.alt)

    @property
    def differing(self) -> tuple[int, ...]:
        """Offsets from `start` at which a substitution's bases differ.

        Raises:
            ValueError: This is no substitution.
        """
        pairs = zip(self.ref, self.alt, strict=True)
        return tuple(offset for offset, (ref, alt) in enumerate(pairs) if ref != alt)


def classify_alt(alt: str) -> Status:
    """What kind of ALT a text is; ok for a sequence of A, C, G, T in either case."""
    if alt == ".":
        return Status.no_alt
    if alt == "*":
        return Status.spanning_deletion
    if "[" in alt or "]" in alt or (len(alt) > 1 and (alt.startswith(".") or alt.endswith("."))):
        return Status.breakend
    if alt.startswith("<"):
        return Status.symbolic
    return Status.ok if _BASES.fullmatch(alt) else Status.non_acgt


def resolve(reference: Reference, variant: Variant, alt: str) -> Allele | Status:
    """Place one ALT of a record on the reference.

    Args:
        reference: The genome.
        variant: The record.
        alt: One of its ALTs; "." for a record without.

    Returns:
        The normalised allele, or why there is none. Where the reference has an ambiguity code, REF may be any
        of the bases that it stands for (VCF 4.3, section 1.6.1, asks for the first by alphabet): an allele
        that replaces one is `non_acgt`, one beside it is like any other.
    """
    kind = classify_alt(alt)
    if kind not in (Status.ok, Status.non_acgt):
        return kind
    contig = reference.find(variant.chrom)
    if contig is None:
        return Status.no_contig
    start = variant.pos - 1
    end = start + len(variant.ref)
    if start < 0 or end > reference.lengths[contig]:
        return Status.out_of_contig
    if kind is Status.non_acgt or not _BASES.fullmatch(variant.ref):
        return Status.non_acgt
    ref, there = variant.ref.upper().encode(), reference.fetch(contig, start, end)
    if not _agree(ref, there):
        return Status.ref_mismatch
    allele = normalise(reference, contig, start, ref, alt.upper().encode())
    # What the model would read as REF is unknown where the FASTA has an ambiguity code, and ALT is not.
    if ref != there and reference.fetch(contig, allele.start, allele.end) != allele.ref:
        return Status.non_acgt
    return allele


def is_exchanged(reference: Reference, variant: Variant) -> bool:
    """Whether the reference has one of a record's ALTs at its place, as where REF and ALT were exchanged.

    Args:
        reference: The genome.
        variant: A record whose REF lies within a contig of it.
    """
    contig, start = reference.find(variant.chrom), variant.pos - 1
    if contig is None:
        return False
    rest = reference.lengths[contig] - start
    alts = [alt.upper().encode() for alt in variant.alts if _BASES.fullmatch(alt) and len(alt) <= rest]
    return any(reference.fetch(contig, start, start + len(alt)) == alt for alt in alts)


def _agree(ref: bytes, there: bytes) -> bool:
    """Whether each base of REF is the reference's, or one that its ambiguity code stands for."""
    return ref == there or all(
        base == letter or (base, letter) in _AGREE for base, letter in zip(ref, there, strict=True)
    )


def normalise(reference: Reference, contig: str, start: int, ref: bytes, alt: bytes) -> Allele:
    """The shortest, leftmost writing of an allele.

    Trims the suffix that REF and ALT share, then the prefix, then shifts a pure insertion or deletion left as
    far as the reference allows.

    Args:
        reference: The genome.
        contig: The FASTA's name.
        start: First base of `ref`, 0-based.
        ref: Upper case, as the reference has it.
        alt: Upper case.
    """
    suffix = _shared_prefix(ref[::-1], alt[::-1])
    ref, alt = ref[: len(ref) - suffix], alt[: len(alt) - suffix]
    prefix = _shared_prefix(ref, alt)
    start, ref, alt = start + prefix, ref[prefix:], alt[prefix:]
    if bool(ref) == bool(alt):
        return Allele(contig, start, ref, alt)
    unit = ref or alt
    shift = _shift(reference, contig, start, unit)
    turn = len(unit) - shift % len(unit)
    unit = unit[turn:] + unit[:turn]
    return Allele(contig, start - shift, unit if ref else b"", unit if alt else b"")


def _shift(reference: Reference, contig: str, start: int, unit: bytes) -> int:
    """How many bases to the left the insertion or deletion of `unit` can move.

    It moves by one wherever the base before it equals its last one, which then becomes its first: as long as
    the bases before it, read backwards, repeat the unit read backwards.
    """
    shift, size = 0, _FIRST_PIECE
    backwards = unit[::-1]
    while shift < start:
        size = min(size, start - shift)
        upstream = reference.fetch(contig, start - shift - size, start - shift)[::-1]
        at = shift % len(unit)
        repeats = backwards[at:] + backwards * (size // len(unit) + 1)
        same = _shared_prefix(upstream, repeats)
        shift += same
        if same < size:
            break
        size *= 2
    return shift


def _shared_prefix(a: bytes, b: bytes) -> int:
    length = min(len(a), len(b))
    if a[:length] == b[:length]:
        return length
    return next(at for at in range(length) if a[at] != b[at])
