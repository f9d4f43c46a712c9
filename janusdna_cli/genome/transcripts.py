"""Transcripts of genes, whatever file they came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

__all__ = ["Transcript"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """One transcript of a gene; all coordinates 0-based half-open, on the contig's forward strand.

    Attributes:
        name: Of the transcript.
        gene: Of its gene.
        contig: As in the file.
        strand: The one that it is read from.
        exons: Start and end of each, ascending and apart.
        coding: From its first to after its last coding base, start and stop codon included; None where it
            codes for no protein.
    """

    name: str
    gene: str
    contig: str
    strand: Literal["+", "-"]
    exons: tuple[tuple[int, int], ...]
    coding: tuple[int, int] | None

    @property
    def start(self) -> int:
        """Its first base on the contig."""
        return self.exons[0][0]

    @property
    def end(self) -> int:
        """After its last base on the contig."""
        return self.exons[-1][1]

    @property
    def first_base(self) -> int:
        """Where transcription begins."""
        return self.start if self.strand == "+" else self.end - 1

    @property
    def introns(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each, ascending."""
        return tuple((before[1], after[0]) for before, after in pairwise(self.exons))

    def coding_exons(self) -> Iterator[tuple[int, int]]:
        """The coding part of each exon that has one, ascending."""
        if self.coding is not None:
            first, last = self.coding
            for start, end in self.exons:
                if max(start, first) < min(end, last):
                    yield max(start, first), min(end, last)
