"""Which bases of each genome are repeats: lower case, where its file has any, else what is found in it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from janusdna_cli.corpus.codes import Keys, Mask
from janusdna_cli.corpus.pieces import Piece
from janusdna_cli.corpus.repeats import covered, frequent, tandem
from janusdna_cli.genome.genomes import Genomes
from janusdna_cli.genome.windows import Window

__all__ = ["MARGIN", "Repeats", "sample"]

# Bases around one that tell whether it is in a repeat.
MARGIN = 64
_K, _FEWEST = 16, 4
# Bases of a genome that are looked at, and in which pieces: a larger genome's repeats are as frequent there.
_MOST_BASES, _SIZE = 1 << 25, 1 << 18

_log = logging.getLogger("janusdna")


class Repeats:
    """What is a repeat in genomes.

    A base is one in lower case; in files that have none, one in a tandem repeat or in a 16-mer that is found
    four times on both strands, in at most 32 Mb of its genome.
    """

    def __init__(self, genomes: Genomes) -> None:
        self._genomes = genomes
        self._masked: set[str] = set()
        self._words: dict[str, Keys] = {}
        by_file: defaultdict[str, list[str]] = defaultdict(list)
        for contig, file in genomes.files.items():
            by_file[file.path].append(contig)
        for path, contigs in by_file.items():
            if any(piece.lower_case.any() for piece in sample(genomes, contigs)):
                self._masked.add(path)
                _log.info("%s: repeats are what is in lower case", path)
            else:
                _log.info("%s: has no lower case: repeats are found by what is there often", path)
        self._count_words()

    def mask(self, piece: Piece) -> Mask:
        """The bases of a piece in a repeat; at its ends those that what is read tells of, (V,)."""
        file = self._genomes.files[piece.contig]
        if file.path in self._masked:
            return piece.lower_case
        return tandem(piece.codes) | covered(piece.codes, _K, self._words[file.name])

    def _count_words(self) -> None:
        by_genome: defaultdict[str, list[str]] = defaultdict(list)
        for contig, file in self._genomes.files.items():
            if file.path not in self._masked:
                by_genome[file.name].append(contig)
        for name, contigs in by_genome.items():
            sequences = (piece.codes for piece in sample(self._genomes, contigs))
            self._words[name] = frequent(sequences, _K, _FEWEST)


def sample(genomes: Genomes, contigs: Sequence[str]) -> Iterator[Piece]:
    """All of some contigs, or 32 Mb of them in pieces at equal distances."""
    ends = np.cumsum([genomes.lengths[contig] for contig in contigs])
    total = int(ends[-1])
    number = max(1, min(_MOST_BASES, total) // _SIZE)
    if total <= _MOST_BASES:
        for contig in contigs:
            yield from _parts(genomes, contig, 0, genomes.lengths[contig])
        return
    for at in range(0, total, -(-total // number)):
        which = int(np.searchsorted(ends, at, side="right"))
        length = genomes.lengths[contigs[which]]
        start = at - (int(ends[which]) - length)
        yield from _parts(genomes, contigs[which], start, min(start + _SIZE, length))


def _parts(genomes: Genomes, contig: str, start: int, end: int) -> Iterator[Piece]:
    for first in range(start, end, _SIZE):
        own = Window(contig, first, min(first + _SIZE, end))
        # Words that begin in it, and end behind it.
        yield Piece(own, own.start, min(own.end + _K - 1, end), genomes)
