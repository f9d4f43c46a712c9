"""What a model expects around single places of genes: splice junctions, start and stop codons.

Each is read in the middle of a window of its own, with what really lies around it.

Legend: n places, R bases that are told on each side, T = 2 R.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from averages import Means, interval
from baselines import spread
from biology import JUNCTION, Piece, read
from counts import Floats
from gene_parts import Genes, Spot, exonic, fetch_codes
from measure import Row

from janusdna_cli.corpus.codes import BASES, OTHER, Codes, opposite
from janusdna_cli.finetuning.ranking import with_intervals
from janusdna_cli.genome.genomes import Genomes
from janusdna_cli.genome.windows import centered_window
from janusdna_cli.reading.window_reader import WindowReader

RADIUS, _CODON_RADIUS = 50, 200
FEW = 0.05
NEITHER = {"donor": "neither, GT", "acceptor": "neither, AG"}
CODONS = {"start": ("ATG",), "stop": ("TAA", "TAG", "TGA")}
# The intron's two bases, and how many bases after their first the junction is.
_LETTERS = {"donor": ("GT", 0), "acceptor": ("AG", 2)}
_BESIDE = 500
_AT_ONCE = 64


@dataclass(frozen=True)
class Reading:
    """How places are read.

    Attributes:
        genomes: Where they lie.
        reader: Who reads.
        window: Bases around each.
        most: Places of each kind, evenly spread; None for all.
        resamples: Of bootstraps.
        seed: Of what is drawn.
    """

    genomes: Genomes
    reader: WindowReader
    window: int
    most: int | None
    resamples: int
    seed: int

    @property
    def codon_radius(self) -> int:
        """Bases on each side of start and stop codons in which the same letters are looked for."""
        return min(_CODON_RADIUS, self.window // 2)

    def around(self, spots: Sequence[Spot], radius: int) -> Iterator[tuple[Spot, Piece]]:
        """Each spot and the bases around it, on its strand, (2 R,).

        Those too near to a contig's end or with unknown bases are left out.
        """
        fitting = [one for one in spots if self._is_known(one, radius)]
        for first in range(0, len(fitting), _AT_ONCE):
            some = fitting[first : first + _AT_ONCE]
            windows = [
                centered_window(one.contig, one.at, self.window, self.genomes.lengths[one.contig])
                for one in some
            ]
            sequences = [fetch_codes(self.genomes, one.contig, one.start, one.end) for one in windows]
            targets = [
                np.arange(spot.at - radius, spot.at + radius) - window.start
                for spot, window in zip(some, windows, strict=True)
            ]
            found = read(self.reader, sequences, targets)
            for spot, codes, at, logp in zip(some, sequences, targets, found, strict=True):
                piece = Piece(codes[at], logp)
                yield spot, piece.turned() if spot.reverse else piece

    def _is_known(self, spot: Spot, radius: int) -> bool:
        first, last = spot.at - radius, spot.at + radius
        if first < 0 or last > self.genomes.lengths[spot.contig]:
            return False
        return bool((fetch_codes(self.genomes, spot.contig, first, last) != OTHER).all())


def drawn(
    genomes: Genomes, junctions: Mapping[str, Sequence[Spot]], known: Set[Spot], seed: int
) -> dict[str, list[Spot]]:
    """Places that look like junctions by two bases and are none, one beside each junction, on its strand."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[Spot]] = {NEITHER[kind]: [] for kind in junctions}
    for kind, spots in junctions.items():
        letters, ahead = _LETTERS[kind]
        for spot in spots:
            start = max(0, spot.at - _BESIDE)
            end = min(genomes.lengths[spot.contig], spot.at + _BESIDE)
            codes = fetch_codes(genomes, spot.contig, start, end)
            at = starts_of(opposite(codes) if spot.reverse else codes, letters) + ahead
            places = end - at if spot.reverse else start + at
            far = places[np.abs(places - spot.at) > RADIUS]
            alike = [one for place in far if (one := spot._replace(at=int(place))) not in known]
            if alike:
                found[NEITHER[kind]].append(alike[int(rng.integers(len(alike)))])
    return found


def starts_of(codes: Codes, letters: str) -> np.ndarray:
    """Where a few letters stand, ascending."""
    there = np.ones(max(0, len(codes) - len(letters) + 1), bool)
    for offset, letter in enumerate(letters):
        there &= codes[offset : offset + len(there)] == BASES.index(letter)
    return np.flatnonzero(there)


def by_junction(
    genome: str, spots: Mapping[str, Sequence[Spot]], reading: Reading
) -> tuple[list[Row], list[Row]]:
    """Mean llr by the distance from junctions, and how the intron's two bases stand out of those around."""
    by_offset: list[Row] = []
    by_kind: dict[str, Floats] = {}
    for kind, places in spots.items():
        pieces = [piece for _, piece in reading.around(spread(list(places), reading.most), RADIUS)]
        if pieces:
            llr = np.stack([piece.llr for piece in pieces])
            by_offset += _by_offset(genome, kind, llr, np.stack([piece.bits for piece in pieces]))
            by_kind[kind] = shares_below(llr, kind)
    return by_offset, [_standing_out(genome, kind, by_kind, reading) for kind in by_kind]


def _by_offset(genome: str, kind: str, llr: Floats, bits: Floats) -> Iterator[Row]:
    """Rows from `JUNCTION` bases before the junction, -1 the last of them, to as many after it."""
    mean = np.nanmean(llr, axis=2)
    for place in range(RADIUS - JUNCTION, RADIUS + JUNCTION):
        offset = place - RADIUS + (place >= RADIUS)
        yield {
            "genome": genome,
            "junction": kind,
            "offset": offset,
            "sequences": len(llr),
            "mean llr": mean[:, place].mean(),
            "standard error": mean[:, place].std() / len(llr) ** 0.5,
            "bits": bits[:, place].mean(),
        }


def _pair(kind: str) -> slice:
    """The two bases that begin or end the intron: after a donor's junction, before an acceptor's."""
    is_donor = kind in ("donor", NEITHER["donor"])
    return slice(RADIUS, RADIUS + 2) if is_donor else slice(RADIUS - 2, RADIUS)


def shares_below(llr: Floats, kind: str) -> Floats:
    """The share of the other changes that is less expected than those of the two bases on average, (n,).

    Args:
        llr: (n, T, 4).
        kind: Which of the two.
    """
    own = np.nanmean(llr[:, _pair(kind)], axis=(1, 2))
    others = np.delete(llr, np.arange(2 * RADIUS)[_pair(kind)], axis=1).reshape(len(llr), -1)
    known = np.isfinite(others)
    below = (np.where(known, others, np.inf) < own[:, None]).sum(axis=1)
    return below / known.sum(axis=1)


def _standing_out(genome: str, kind: str, by_kind: Mapping[str, Floats], reading: Reading) -> Row:
    shares = by_kind[kind]
    again = {"resamples": reading.resamples, "seed": reading.seed}
    median = interval(shares, lambda drawn: np.median(drawn, axis=-1), **again)
    few = interval(shares, lambda drawn: (drawn < FEW).mean(axis=-1), **again)
    row = {"genome": genome, "changes of the intron's two bases": kind, "number": len(shares)}
    row |= dict(zip(("median share below", "median from", "median to"), median, strict=True))
    row |= dict(zip((f"share below {FEW:.0%}", "share from", "share to"), few, strict=True))
    other = by_kind.get(NEITHER.get(kind, ""))
    found = None if other is None else with_intervals(-shares, -other, **again)["AUROC"]
    return row | dict(zip(("AUROC", "AUROC from", "AUROC to"), found or (None,) * 3, strict=True))


def by_end_codon(
    genome: str, spots: Mapping[str, Sequence[Spot]], genes: Genes, reading: Reading
) -> tuple[list[Row], list[Row]]:
    """Mean llr of changes of start and stop codons and of the same letters nearby, on the same strand."""
    means, pairs = Means(), Means()
    for kind, places in spots.items():
        known = set(places)
        for spot, piece in reading.around(spread(list(places), reading.most), reading.codon_radius):
            found = _alike(spot, piece, known, genes, CODONS[kind])
            for which, values in found.items():
                means[kind, which].add(np.concatenate([each.ravel() for each in values]))
            if "elsewhere in exons" in found:
                own, others = (np.nanmean(found[which]) for which in ("annotated", "elsewhere in exons"))
                pairs[kind,].add(np.array([own - others]))
    told = {"genome": genome}
    named = pairs.rows("annotated less elsewhere in exons", count="windows", mean="mean difference")
    return [told | row for row in means.rows("end codon", "which")], [told | row for row in named]


def _alike(
    spot: Spot, piece: Piece, known: set[Spot], genes: Genes, letters: Sequence[str]
) -> dict[str, list[Floats]]:
    """Llr of the three bases (3, 4) of each place that has such letters, by where it lies."""
    radius = len(piece.codes) // 2
    in_exon = exonic(genes[spot.contig], spot.at - radius, spot.at + radius)
    in_exon = in_exon[::-1] if spot.reverse else in_exon
    llr = piece.llr
    found: dict[str, list[Floats]] = {"annotated": [llr[radius : radius + 3]]}
    for at in np.concatenate([starts_of(piece.codes, each) for each in letters]).tolist():
        place = spot.at + (radius - at if spot.reverse else at - radius)
        if Spot(spot.contig, place, spot.reverse) not in known:
            which = "elsewhere in exons" if in_exon[at : at + 3].all() else "outside of exons"
            found.setdefault(which, []).append(llr[at : at + 3])
    return found
