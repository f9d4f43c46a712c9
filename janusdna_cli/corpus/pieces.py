"""Contigs in pieces, each read with bases around it, so that what is found in it does not end at its ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from janusdna_cli.corpus.codes import OTHER, Codes, Mask, encode, filled, runs
from janusdna_cli.genome.genomes import Genomes
from janusdna_cli.genome.windows import Window

__all__ = ["Piece", "pieces"]

_SIZE = 1 << 21
# Runs of so many bases that are not A, C, G, T are no sequence to learn from.
_SHORTEST_GAP = 100
_LOWER_CASE = np.zeros(256, bool)
_LOWER_CASE[list(b"acgtu")] = True


@dataclass(frozen=True)
class Piece:
    """A piece of a contig; 0-based half-open.

    Attributes:
        own: The piece.
        start: First base that is read.
        end: After the last base that is read; V bases in all.
        genomes: What it is read from, when it is asked for.
    """

    own: Window
    start: int
    end: int
    genomes: Genomes

    @property
    def contig(self) -> str:
        """The one it lies on."""
        return self.own.contig

    @property
    def inner(self) -> slice:
        """Of what is read, the piece itself."""
        return slice(self.own.start - self.start, self.own.end - self.start)

    @cached_property
    def letters(self) -> bytes:
        """As the file has them, (V,)."""
        return self.genomes.fetch_as_written(self.contig, self.start, self.end)

    @cached_property
    def codes(self) -> Codes:
        """(V,)."""
        return encode(self.letters)

    @property
    def lower_case(self) -> Mask:
        """Bases in lower case, (V,)."""
        return _LOWER_CASE[np.frombuffer(self.letters, np.uint8)]

    @property
    def sequence(self) -> Mask:
        """What is not in a run of 100 and more that are not A, C, G, T, (V,)."""
        starts, ends = runs(self.codes == OTHER)
        long = ends - starts >= _SHORTEST_GAP
        return ~filled(len(self.codes), starts[long], ends[long])


def pieces(genomes: Genomes, contig: str, margin: int) -> Iterator[Piece]:
    """A contig from its first base to its last; nothing is read yet.

    Args:
        genomes: That have it.
        contig: By its full name.
        margin: Bases read on each side, where the contig has them.
    """
    length = genomes.lengths[contig]
    for start in range(0, length, _SIZE):
        own = Window(contig, start, min(start + _SIZE, length))
        yield Piece(own, max(0, own.start - margin), min(length, own.end + margin), genomes)
