"""Where things are in a sequence, told from the sequence alone: Alu elements, open reading frames.

Sequences are codes, as in janusdna_cli/corpus/codes.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from janusdna_cli.corpus.codes import Codes, Keys, encode, keys_of, opposite

STOPS = ("TAA", "TAG", "TGA")
# AluY without its tail.
ALU = (
    "GGCCGGGCGCGGTGGCTCACGCCTGTAATCCCAGCACTTTGGGAGGCCGAGGCGGGCGGATCACGAGGTCAGGAGATCGAGACCATCCCGGCTAAAACGG"
    "TGAAACCCCGTCTCTACTAAAAATACAAAAAATTAGCCGGGCGTGGTGGCGGGCGCCTGTAGTCCCAGCTACTCGGGAGGCTGAGGCAGGAGAATGGCGT"
    "GAACCCGGGAGGCGGAGCTTGCAGTGAGCCGAGATCGCGCCACTGCACTCCAGCCTGGGCGACAGAGCGAGACTCCGTCTC"
)
_SEED = 12
_FEWEST_CODONS = 100
_FARTHEST, _MOST_SEEDS_APART, _SHORTEST_ALU = 30, 60, 200


class Frame(NamedTuple):
    """Codons without a stop among them, between two stops.

    Attributes:
        start, end: In the sequence, 0-based, half-open.
        reverse: Whether it is read from the other strand.
        chance: Of so many codons without a stop, if bases of its composition came in any order.
    """

    start: int
    end: int
    reverse: bool
    chance: float


class Element(NamedTuple):
    """One Alu.

    Attributes:
        start, end: In the sequence, 0-based, half-open.
        places: Of its bases in `ALU`, (end - start,), by the seed before each.
        reverse: Whether it lies on the other strand; `places` are those of the complements.
    """

    start: int
    end: int
    places: npt.NDArray[np.int64]
    reverse: bool


def open_frames(codes: Codes, chance: float) -> list[Frame]:
    """Stretches without a stop that are less likely than `chance`; of those that overlap the least likely."""
    found = [
        frame
        for reverse in (False, True)
        for frame in _between_stops(opposite(codes) if reverse else codes, reverse)
        if frame.chance < chance
    ]
    kept: list[Frame] = []
    for frame in sorted(found, key=lambda one: one.chance):
        if all(frame.end <= other.start or other.end <= frame.start for other in kept):
            kept.append(frame)
    return kept


def _between_stops(codes: Codes, reverse: bool) -> Iterator[Frame]:
    stops = [keys_of(encode(stop), 3)[0] for stop in STOPS]
    keys = keys_of(codes, 3)
    ends = np.isin(keys, stops) | (keys < 0)
    for frame in range(3):
        last = len(codes) - (len(codes) - frame) % 3
        at = (frame - 3, *(frame + 3 * np.flatnonzero(ends[frame::3])).tolist(), last)
        for start, end in ((before + 3, after) for before, after in pairwise(at)):
            if end - start >= 3 * _FEWEST_CODONS:
                place = (len(codes) - end, len(codes) - start) if reverse else (start, end)
                yield Frame(*place, reverse, _chance(codes[start:end]))


def _chance(codes: Codes) -> float:
    a, _, g, t = np.bincount(codes, minlength=4) / len(codes)
    return float((1 - t * a * a - 2 * t * a * g) ** (len(codes) / 3))


def alus(codes: Codes) -> Iterator[Element]:
    """Alu elements: chains of 12-mers that they share with AluY, 200 bases and longer."""
    for reverse in (False, True):
        strand = opposite(codes) if reverse else codes
        for chain in _chains(*_seeds(strand)):
            start, end = chain[0][0], chain[-1][0] + _SEED
            if end - start >= _SHORTEST_ALU:
                at, place = np.array(chain).T
                which = np.searchsorted(at, np.arange(start, end), side="right") - 1
                places = np.arange(start, end) - at[which] + place[which]
                if reverse:
                    start, end, places = len(codes) - end, len(codes) - start, places[::-1]
                yield Element(start, end, places, reverse)


def _seeds(codes: Codes) -> tuple[Keys, Keys]:
    """Where a 12-mer of AluY is found, and where it stands there; those that it has twice are left out."""
    keys, places, counts = np.unique(keys_of(encode(ALU), _SEED), return_index=True, return_counts=True)
    keys, places = keys[counts == 1], places[counts == 1]
    found = keys_of(codes, _SEED)
    which = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
    at = np.flatnonzero(keys[which] == found)
    return at, places[which[at]]


def _chains(at: Keys, places: Keys) -> Iterator[Sequence[tuple[int, int]]]:
    """Seeds that follow each other in both sequences with little between them and on nearly one diagonal."""
    chain: list[tuple[int, int]] = []
    for seed in zip(at.tolist(), places.tolist(), strict=True):
        if chain:
            along, across = seed[0] - chain[-1][0], seed[1] - chain[-1][1]
            if across <= 0 or along > _MOST_SEEDS_APART or abs(along - across) > _FARTHEST:
                yield chain
                chain = []
        chain.append(seed)
    if chain:
        yield chain
