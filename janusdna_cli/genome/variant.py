"""A variant as a VCF or BCF names it."""

from dataclasses import dataclass

__all__ = ["Variant"]


@dataclass(frozen=True, slots=True)
class Variant:
    """The site of one record: INFO and genotypes only as bytes that nobody looks at.

    Attributes:
        chrom: The contig, as in the file.
        pos: First base of `ref`, 1-based as in the file; 0 and less are outside the contig.
        id: None where the file has `.`.
        ref: REF, as in the file.
        alts: ALT, as in the file; empty where the file has `.`.
        record: All of it, as in the file, where that was asked for.
    """

    chrom: str
    pos: int
    id: str | None
    ref: str
    alts: tuple[str, ...]
    record: bytes | None = None
