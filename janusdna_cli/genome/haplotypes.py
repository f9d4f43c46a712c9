"""The sequence of a window, with or without an allele."""

from janusdna_cli.genome.alleles import Allele
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window

__all__ = ["haplotype"]


def haplotype(reference: Reference, window: Window, allele: Allele) -> bytes:
    """The window's bases with the allele's `ref` replaced by its `alt`.

    Its length is that of the window, plus `alt`'s, minus `ref`'s.

    Raises:
        ValueError: The allele does not lie within the window.
    """
    if allele.contig != window.contig or not window.start <= allele.start <= allele.end <= window.end:
        raise ValueError(f"{allele} does not lie within {window}")
    left = reference.fetch(window.contig, window.start, allele.start)
    right = reference.fetch(window.contig, allele.end, window.end)
    return left + allele.alt + right
