"""What a model expects of the bases of some windows: bits by kind, CpG, codons.

Legend: n codons; T bases of a window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from averages import Means
from baselines import Place, spread
from biology import Piece, read
from codons import EFFECTS, amino_acids, effects_of
from counts import Floats
from gene_parts import Codons, Genes, Positions, codons_of, fetch_codes, unambiguous
from kinds import ALL, FIRST_EXON, Kinds
from measure import Row
from spots import Reading

from janusdna_cli.corpus.codes import BASES, OTHER, Codes, Mask

CODING = "codons"
_C, _G, _A, _T = (BASES.index(letter) for letter in "CGAT")
_FRAMES = ("own", "one base later", "two bases later")


class Sweep:
    """Windows, some for each kind of base; a base counts for a kind where its window was chosen for it.

    Args:
        tiles: All windows that there are, which hold each base once.
        genes: By contig.
        kinds: Of bases.
        reading: How they are read, and how many for each kind.
    """

    def __init__(self, tiles: Sequence[Place], genes: Genes, kinds: Kinds, reading: Reading) -> None:
        self._tiles, self._kinds, self._reading = tiles, kinds, reading
        contigs = dict.fromkeys(tile.window.contig for tile in tiles)
        self._codons = {contig: _by_first(genes, contig, reading) for contig in contigs}
        self._first_exons = {contig: _first_exons(genes, contig) for contig in contigs}
        self._for_kinds = self._choose()
        self._bits, self._cpg, self._by_codon, self._sites = Means(), Means(), Means(), Means()

    def read(self) -> None:
        """Read them all and add up."""
        which = sorted(self._for_kinds)
        windows = [self._tiles[i].window for i in which]
        sequences = [fetch_codes(self._reading.genomes, one.contig, one.start, one.end) for one in windows]
        for i, codes, logp in zip(which, sequences, read(self._reading.reader, sequences), strict=True):
            self._add(self._tiles[i], Piece(codes, logp), self._for_kinds[i])

    def tables(self) -> dict[str, list[Row]]:
        """Rows by the name of their table."""
        order = {ALL: 0, _FRAMES[0]: 0, "position": 0, FIRST_EXON: 2}
        for means in (self._bits, self._cpg, self._by_codon, self._sites):
            ordered = sorted(means.items(), key=lambda one: (order.get(one[0][0], 1), one[0]))
            means.clear()
            means.update(ordered)
        return {
            "kind": self._bits.rows("kind", count="bases", mean="bits per base"),
            "CpG": self._cpg.rows("C>T in", "where"),
            "codon": self._by_codon.rows("codon", "which"),
            "site": self._sites.rows("third positions, frame", count="sites", mean="synonymous less others"),
        }

    def _choose(self) -> dict[int, set[str]]:
        """The kinds that a tile, by its number, was chosen for."""
        holding: defaultdict[str, list[int]] = defaultdict(list)
        for i, tile in enumerate(self._tiles):
            for name, mask in self._masks(tile).items():
                if mask.any():
                    holding[name].append(i)
            if len(self._codons_in(tile).positions):
                holding[CODING].append(i)
        chosen: defaultdict[int, set[str]] = defaultdict(set)
        for name, found in holding.items():
            for i in spread(found, self._reading.most):
                chosen[i].add(name)
        return chosen

    def _masks(self, tile: Place) -> dict[str, Mask]:
        """Where each kind is among the bases that count, (T,)."""
        window, counted = tile.window, np.arange(len(tile.window)) >= tile.first
        starts, ends = self._first_exons[window.contig]
        at = np.arange(window.start, window.end)[:, None]
        near = (starts < window.end) & (ends > window.start)
        first_exon = ((at >= starts[near]) & (at < ends[near])).any(axis=1)
        found = {ALL: counted} | self._kinds.masks(window) | {FIRST_EXON: first_exon}
        return {name: mask & counted for name, mask in found.items()}

    def _codons_in(self, tile: Place) -> Codons:
        """Codons that lie within a tile, those that begin in bases that count."""
        codons, window = self._codons[tile.window.contig], tile.window
        lowest = codons.positions.min(axis=1)
        first, last = np.searchsorted(lowest, (window.start + tile.first, window.end))
        positions, codes = (each[first:last] for each in codons)
        inside = positions.max(axis=1, initial=0) < window.end
        return Codons(positions[inside], codes[inside])

    def _add(self, tile: Place, piece: Piece, names: set[str]) -> None:
        bits, known = piece.bits, piece.known
        masks = self._masks(tile)
        for name in names & set(masks):
            counted = masks[name] & known
            if name != FIRST_EXON:
                self._bits[name,].add(bits[counted])
            for where, values in deaminations(piece, counted):
                self._cpg[name, where].add(values)
        if CODING in names:
            self._add_codons(self._codons_in(tile), piece.llr, tile.window.start)

    def _add_codons(self, codons: Codons, llr: Floats, start: int) -> None:
        own = llr_of(codons.positions, llr, start)
        effects = effects_of(codons.codes)
        for position in range(3):
            self._by_codon["position", str(position + 1)].add(own[:, position].ravel())
        for number, name in enumerate(EFFECTS):
            self._by_codon["effect", name].add(own[effects == number])
        for shift, frame in enumerate(_FRAMES):
            triplets = later(codons, shift)
            self._sites[frame,].add(differences(triplets.codes, llr_of(triplets.positions, llr, start)))


def llr_of(positions: Positions, llr: Floats, start: int) -> Floats:
    """Of codons, in the letters of the strand that is read, (n, 3, 4).

    Args:
        positions: In the order of reading, (n, 3).
        llr: Of the forward strand, (T, 4).
        start: Position of its first base.
    """
    found = llr[positions - start]
    reverse = positions[:, 0] > positions[:, -1]
    return np.where(reverse[:, None, None], found[..., ::-1], found)


def later(codons: Codons, shift: int) -> Codons:
    """The triplets that begin so many bases after codons, of bases of codons of that strand."""
    step = np.sign(codons.positions[:, 1] - codons.positions[:, 0])
    there = codons.positions.ravel() * 2 + np.repeat(step < 0, 3)
    order = np.argsort(there)
    positions = codons.positions[:, :1] + step[:, None] * (np.arange(3) + shift)
    wanted = positions * 2 + (step < 0)[:, None]
    at = order[np.minimum(np.searchsorted(there[order], wanted), max(0, len(there) - 1))]
    kept = (there[at] == wanted).all(axis=1)
    return Codons(positions[kept], codons.codes.ravel()[at][kept])


def differences(codes: Codes, llr: Floats) -> Floats:
    """Mean llr of the synonymous changes of third positions less that of the others, (n,).

    NaN where either there is none of, and of stop codons.

    Args:
        codes: Of triplets, (n, 3).
        llr: (n, 3, 4).
    """
    effects, llr = effects_of(codes)[:, 2], llr[:, 2]
    is_synonymous, is_other = effects == 0, effects > 0
    both = is_synonymous.any(axis=1) & is_other.any(axis=1) & (amino_acids(codes) != ord("*"))
    sums = [np.where(which, llr, 0).sum(axis=1) for which in (is_synonymous, is_other)]
    one, other = (
        total / np.maximum(1, which.sum(axis=1))
        for total, which in zip(sums, (is_synonymous, is_other), strict=True)
    )
    return np.where(both, one - other, np.nan)


def deaminations(piece: Piece, counted: Mask) -> Iterator[tuple[str, Floats]]:
    """Llr of C>T of both strands, at CpG and elsewhere."""
    codes, llr = piece.codes, piece.llr
    before, after = np.append(OTHER, codes[:-1]), np.append(codes[1:], OTHER)
    c, g = counted & (codes == _C) & (after != OTHER), counted & (codes == _G) & (before != OTHER)
    c_at_cpg, g_at_cpg = after == _G, before == _C
    yield "CpG", np.append(llr[c & c_at_cpg, _T], llr[g & g_at_cpg, _A])
    yield "elsewhere", np.append(llr[c & ~c_at_cpg, _T], llr[g & ~g_at_cpg, _A])


def _by_first(genes: Genes, contig: str, reading: Reading) -> Codons:
    """A contig's codons, by their lowest base."""
    every = [codons for one in genes[contig] if (codons := codons_of(one, reading.genomes)) is not None]
    found = unambiguous(every)
    order = np.argsort(found.positions.min(axis=1), kind="stable")
    return Codons(found.positions[order], found.codes[order])


def _first_exons(genes: Genes, contig: str) -> tuple[Positions, Positions]:
    """Start and end of each."""
    found = sorted({one.exons[0 if one.strand == "+" else -1] for one in genes[contig]})
    starts, ends = np.array(found, np.int64).reshape(-1, 2).T
    return starts, ends
