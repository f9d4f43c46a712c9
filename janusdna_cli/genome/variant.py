"""A variant as a VCF or BCF names it."""

from dataclasses import dataclass, field

__all__ = ["Variant"]


@dataclass(frozen=True, slots=True)
class Variant:
    """The site of one record: INFO and genotypes only as bytes, and only where they are asked for.

    Attributes:
        chrom: The contig, as in the file.
        pos: First base of `ref`, 1-based as in the file; 0 and less are outside the contig.
        id: None where the file has `.`.
        ref: REF, as in the file.
        alts: ALT, as in the file; empty where the file has `.`.
        record: All of it as it came: a line with its end, or the lengths and blocks of a BCF; None where
            that is not kept.
    """

    chrom: str
    pos: int
    id: str | None
    ref: str
    alts: tuple[str, ...]
    record: bytes | None = field(default=None, repr=False, compare=False)
