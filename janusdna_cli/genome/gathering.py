"""Transcripts put together from lines that tell a piece of one each, as GTF's and GFF3's do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from janusdna_cli.genome.streams import decode, excerpt
from janusdna_cli.genome.transcripts import Transcript

__all__ = ["COLUMNS", "PIECES", "Gatherer", "Piece", "joined", "number", "piece_of", "strand_of"]

COLUMNS = 9
_CODING = (b"CDS", b"start_codon", b"stop_codon")
PIECES = frozenset((b"exon", *_CODING))
# 18 digits: whatever fits is a 64-bit integer.
_INTEGER = re.compile(rb"[0-9]{1,18}")

Strand = Literal["+", "-"]
Stretches = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """An exon, or a part of one that codes, of a line of nine columns; 0-based half-open."""

    contig: str
    strand: Strand
    start: int
    end: int
    is_coding: bool


@dataclass(slots=True)
class _Gathered:
    exons: list[tuple[int, int]] = field(default_factory=list)
    coding: list[tuple[int, int]] = field(default_factory=list)


class Gatherer:
    """The pieces of each transcript; a name is another transcript on another contig or strand."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, Strand], _Gathered] = {}

    def add(self, transcript: str, piece: Piece) -> None:
        """Note a piece of a transcript."""
        key = (transcript, piece.contig, piece.strand)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = _Gathered()
        (found.coding if piece.is_coding else found.exons).append((piece.start, piece.end))

    def names(self) -> set[str]:
        """Of all transcripts."""
        return {name for name, _, _ in self._found}

    def transcripts(self, told: Callable[[str], tuple[str, str] | None]) -> Iterator[Transcript]:
        """All of them, in the order of their first pieces.

        Exons are those that were told; where there are none, what codes.

        Args:
            told: What a transcript and its gene are called, by what its pieces call it; None to leave it out.
        """
        for (name, contig, strand), found in self._found.items():
            called = told(name)
            if called is not None:
                ends = joined(found.coding)
                coding = (ends[0][0], ends[-1][1]) if ends else None
                yield Transcript(*called, contig, strand, joined(found.exons) or ends, coding)


def piece_of(fields: list[bytes]) -> Piece:
    """The piece that a line's nine columns tell of.

    Raises:
        ValueError: With what is wrong.
    """
    start, end = number(fields[3], "start", low=1), number(fields[4], "end", low=1)
    if end < start:
        raise ValueError(f"end {end} lies before start {start}; swap them or remove the line")
    return Piece(decode(fields[0]), strand_of(fields[6]), start - 1, end, fields[2] in _CODING)


def strand_of(field: bytes) -> Strand:
    """The strand of a column that holds one.

    Raises:
        ValueError: It holds none.
    """
    if field == b"+":
        return "+"
    if field == b"-":
        return "-"
    raise ValueError(f"strand is {excerpt(field)}, expected + or -")


def number(field: bytes, column: str, low: int) -> int:
    """The whole number of a column.

    Raises:
        ValueError: It is none, or below `low`.
    """
    if not _INTEGER.fullmatch(field.strip()) or int(field) < low:
        raise ValueError(f"{column} is {excerpt(field)}, expected a whole number, {low} or more")
    return int(field)


def joined(stretches: Iterable[tuple[int, int]]) -> Stretches:
    """Ascending and apart: those that overlap or touch as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return tuple(found)
