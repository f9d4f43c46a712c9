"""The kind of every base: what the genes, the repeats and the exons of others say of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from janusdna_cli.corpus.annotation import Annotation
from janusdna_cli.corpus.codes import OTHER, Codes, Mask
from janusdna_cli.corpus.conserved import ExonIndex, K
from janusdna_cli.corpus.kinds import TRANSCRIBED, Kind
from janusdna_cli.corpus.masking import MARGIN as REPEAT_MARGIN
from janusdna_cli.corpus.masking import Repeats
from janusdna_cli.corpus.pieces import Piece, pieces
from janusdna_cli.genome.genomes import Genomes

__all__ = ["MARGIN", "Painter"]

# Bases around one that tell what it is of: chains of words reach further, and are long enough before.
MARGIN = 256

_log = logging.getLogger("janusdna")


class Painter:
    """Says of what kind bases are.

    Args:
        genomes: Where they are.
        annotation: The genes.
    """

    def __init__(self, genomes: Genomes, annotation: Annotation) -> None:
        self._genomes = genomes
        self._annotation = annotation
        self._repeats = Repeats(genomes)
        self._exons: ExonIndex | None = None
        if annotation.contigs and set(genomes.lengths) - set(annotation.contigs):
            self._exons = ExonIndex(self._exon_codes())
            _log.info("%s words of exons tell what is conserved", f"{len(self._exons):,}")

    def paint(self, piece: Piece) -> npt.NDArray[np.uint8]:
        """The `Kind` of each base that is read, (V,); right but for `MARGIN` bases at its ends."""
        has_genes = self._genomes.files[piece.contig].name in self._annotation.genomes
        rest = Kind.intergenic if has_genes else Kind.unannotated
        kinds = np.full(piece.end - piece.start, rest, np.uint8)
        for kind in sorted(Kind, reverse=True):
            found = self._found(kind, piece)
            if found is not None:
                kinds[found] = kind
        return kinds

    def _found(self, kind: Kind, piece: Piece) -> Mask | None:
        is_annotated = piece.contig in self._annotation.contigs
        if kind in TRANSCRIBED and is_annotated:
            return self._annotation.mask(kind, piece.contig, piece.start, piece.end)
        if kind is Kind.repeat:
            return self._repeats.mask(piece)
        if kind is Kind.conserved and not is_annotated and self._exons is not None:
            return self._exons.like_exons(piece.codes)
        return None

    def _exon_codes(self) -> Iterator[tuple[int, Codes]]:
        """Of pieces of contigs with genes: exons but for repeats, each at its place in all of the genomes."""
        place = 0
        for contig, length in self._genomes.lengths.items():
            if contig in self._annotation.contigs:
                for piece in pieces(self._genomes, contig, REPEAT_MARGIN):
                    codes = self._exons_of(piece)
                    if codes is not None:
                        yield place + piece.own.start, codes
            place += length

    def _exons_of(self, piece: Piece) -> Codes | None:
        """With what of the next piece a word of this one may reach into; None where there is no exon."""
        # The stretches of this kind are all exons: what codes is told over them.
        exons = self._annotation.mask(Kind.untranslated, piece.contig, piece.start, piece.end)
        if not exons.any():
            return None
        codes = np.where(exons & ~self._repeats.mask(piece), piece.codes, OTHER).astype(np.uint8)
        return codes[piece.inner.start : piece.inner.stop + K - 1]
