"""What a base is of: the kinds, the most specific first, and where a transcript has which."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from janusdna_cli.genome.transcripts import Transcript

__all__ = ["GENE_KINDS", "TRANSCRIBED", "Kind", "stretches"]

# The windows that Yeo & Burge (2004) score splice sites by: bases of the exon, bases of the intron.
_DONOR, _ACCEPTOR = (3, 6), (3, 20)
# Bases of the intron at either end that are the same in nearly all: GT and AG.
_SITE = 2
_BEFORE_START, _AFTER_START = 500, 100


class Kind(IntEnum):
    """Of two kinds that a base could have it has the lower one."""

    site = 0
    splice = 1
    coding = 2
    untranslated = 3
    promoter = 4
    conserved = 5
    repeat = 6
    intron = 7
    intergenic = 8
    unannotated = 9


GENE_KINDS = (Kind.site, Kind.splice, Kind.coding, Kind.untranslated, Kind.promoter, Kind.conserved)
# Those that `stretches` tells of.
TRANSCRIBED = (Kind.site, Kind.splice, Kind.coding, Kind.untranslated, Kind.promoter, Kind.intron)


def stretches(transcript: Transcript) -> Iterator[tuple[Kind, int, int]]:
    """Each kind's stretches, 0-based half-open; a more specific one lies over others.

    A promoter may reach outside of the contig. An intron that is too short for the windows of both of its
    sites, as gaps of alignments are, has none.
    """
    yield Kind.intron, transcript.start, transcript.end
    yield Kind.promoter, *_promoter(transcript)
    for start, end in transcript.exons:
        yield Kind.untranslated, start, end
    for start, end in transcript.coding_exons():
        yield Kind.coding, start, end
    yield from _splice_sites(transcript)


def _promoter(transcript: Transcript) -> tuple[int, int]:
    first = transcript.first_base
    if transcript.strand == "+":
        return first - _BEFORE_START, first + _AFTER_START
    return first + 1 - _AFTER_START, first + 1 + _BEFORE_START


def _splice_sites(transcript: Transcript) -> Iterator[tuple[Kind, int, int]]:
    left, right = (_DONOR, _ACCEPTOR) if transcript.strand == "+" else (_ACCEPTOR, _DONOR)
    for number, (start, end) in enumerate(transcript.introns):
        if end - start >= _DONOR[1] + _ACCEPTOR[1]:
            yield Kind.splice, max(start - left[0], transcript.exons[number][0]), start + left[1]
            yield Kind.splice, end - right[1], min(end + right[0], transcript.exons[number + 1][1])
            yield Kind.site, start, start + _SITE
            yield Kind.site, end - _SITE, end
