"""Contigs that are slices of an assembly's, named ..._START_END (1-based, inclusive), and genes on them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from janusdna_cli.genome.transcripts import Transcript

_NAME = re.compile(r"(?P<source>.+)_(?P<first>\d+)_(?P<last>\d+)")


@dataclass(frozen=True)
class Slice:
    """Where a contig was cut out.

    Attributes:
        contig: Its name.
        source: The sequence that it was cut out of, such as `GRCh38_chr1`; itself where its name is of none.
        start, end: There, 0-based half-open.
    """

    contig: str
    source: str
    start: int
    end: int

    @classmethod
    def of(cls, contig: str, length: int) -> Slice:
        """By the contig's name."""
        found = _NAME.fullmatch(contig)
        if found is None or int(found["last"]) - int(found["first"]) + 1 != length:
            return cls(contig, contig, 0, length)
        return cls(contig, found["source"], int(found["first"]) - 1, int(found["last"]))

    def __len__(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Slice) -> bool:
        """Whether both hold a base of one sequence."""
        return self.source == other.source and self.start < other.end and other.start < self.end

    def moved(self, transcript: Transcript) -> Transcript:
        """A transcript of the source in the contig's coordinates, whether it lies within it or not."""
        by = -self.start
        coding = transcript.coding and (transcript.coding[0] + by, transcript.coding[1] + by)
        exons = tuple((start + by, end + by) for start, end in transcript.exons)
        return replace(transcript, contig=self.contig, exons=exons, coding=coding)

    def clipped(self, transcript: Transcript) -> Transcript | None:
        """The part of a transcript of the source that lies on the contig; None where no exon does."""
        whole, length = self.moved(transcript), len(self)
        exons = tuple(
            (max(0, start), min(length, end)) for start, end in whole.exons if start < length and end > 0
        )
        if not exons:
            return None
        coding = whole.coding
        if coding is not None:
            first, last = (min(max(0, at), length) for at in coding)
            coding = (first, last) if first < last else None
        return replace(whole, exons=exons, coding=coding)
