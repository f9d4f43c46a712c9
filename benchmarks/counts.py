"""How often each context is followed, or surrounded, by which base: the models that a network has to beat.

| sides | order k | a base is predicted from |
|---|---|---|
| left | k | the k bases before it: a Markov model |
| both | k | the k bases before it and the k after it |

Both are ratios of k-mer counts, of both strands. Each order is smoothed by the one below it, order 0 by 1/4:

    p_j(b | c) = (n(b in c) + s_j p_{j-1}(b | c')) / (n(c) + s_j)

where c' is c without its outermost bases: p_{j-1} is the mean of a Dirichlet prior that is worth s_j
observations. Each s_j is the power of two that, with the counts of nine blocks in ten of what is trained on,
predicts the tenth best. What is evaluated on is never looked at for it. Where less than c is known (at an N,
or at an interval's end) the longest context that is known predicts.

Legend: m bases of margin on each side of T that are predicted; ... any number of sequences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna_cli.corpus.codes import OTHER, Codes, opposite
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window

Floats = npt.NDArray[np.float64]
Sides = Literal["left", "both"]

STRENGTHS = 2.0 ** np.arange(14)

_ONE = np.uint32(1)  # np.add.at is fifty times as slow with a 1 of another type
_PIECE = 1 << 18
_BLOCK = 1 << 17
_FEWEST_BLOCKS = 40
_TENTH = 10
_MOST_HELD_OUT = 32


class KmerCounts:
    """Counts of all k-mers up to a length, on both strands.

    Args:
        longest: Bases of the longest.

    Attributes:
        tables: Of each k, (4^k,); a k-mer's index has its first base as the highest digit.
    """

    def __init__(self, longest: int) -> None:
        self.tables = [np.zeros(4**k, np.uint32) for k in range(longest + 1)]

    @classmethod
    def of(cls, reference: Reference, intervals: Iterable[Window], longest: int) -> KmerCounts:
        """Of all that lie within one of the intervals."""
        counts = cls(longest)
        for codes in pieces(reference, intervals, longest - 1):
            counts.add(codes, longest - 1)
            counts.add(opposite(codes), longest - 1)
        return counts

    def add(self, codes: Codes, margin: int) -> None:
        """Count, on this strand, those that begin between the margins, (T + 2m,)."""
        size = len(codes) - 2 * margin
        index, known = np.zeros(size, np.int64), np.ones(size, bool)
        for k, table in enumerate(self.tables[1:], start=1):
            last = codes[margin + k - 1 :][:size]
            index = index << 2 | (last & 3)
            known &= last != OTHER
            np.add.at(table, index[known], _ONE)

    def around(self, codes: Codes, margin: int, before: int, after: int) -> npt.NDArray[np.uint32]:
        """How often each base stands in the context of each position, (..., T, 4); 0 where less is known.

        Args:
            codes: (..., T + 2m).
            margin: m, at least as long as the context.
            before: Bases of the context before the position.
            after: And after it.
        """
        size = codes.shape[-1] - 2 * margin
        index, known = np.zeros((*codes.shape[:-1], size), np.int64), np.ones((), bool)
        for offset in range(-before, after + 1):
            index <<= 2
            if offset:
                base = codes[..., margin + offset :][..., :size]
                index |= base & 3
                known = known & (base != OTHER)
        middle = np.arange(4) << (2 * after)
        counts = self.tables[before + 1 + after][index[..., None] | middle]
        return np.where(known[..., None], counts, _ONE * 0)


class CountModel:
    """Probabilities of bases in their contexts.

    Args:
        counts: Of k-mers as long as the longest context with its base.
        sides: Where the context lies.
        strengths: s_j of every order from 0 to the highest.
    """

    def __init__(self, counts: KmerCounts, sides: Sides, strengths: Sequence[float]) -> None:
        self.sides = sides
        self.strengths = tuple(strengths)
        self._counts = counts

    @property
    def order(self) -> int:
        """The highest."""
        return len(self.strengths) - 1

    def name(self, order: int) -> str:
        """As the tables call it."""
        return model_name(self.sides, order)

    def log_probabilities(self, codes: Codes, margin: int, orders: Sequence[int]) -> dict[int, Floats]:
        """Natural log p of A, C, G, T at each position by each of some orders, (..., T, 4)."""
        found: dict[int, Floats] = {}
        p: Floats = np.full(4, 0.25)
        for order, strength in enumerate(self.strengths[: max(orders) + 1]):
            counts = self._counts.around(codes, margin, *_context(self.sides, order))
            p = _smoothed(counts, counts.sum(axis=-1, keepdims=True), p, strength)
            if order in orders:
                found[order] = np.log(p)
        return found

    def both_strands(self, codes: Codes, margin: int, orders: Sequence[int]) -> dict[int, Floats]:
        """The same by each strand, in the letters and positions of this one, (2, ..., T, 4)."""
        forward = self.log_probabilities(codes, margin, orders)
        reverse = self.log_probabilities(opposite(codes), margin, orders)
        return {order: np.stack((forward[order], reverse[order][..., ::-1, ::-1])) for order in orders}


def fit(reference: Reference, intervals: Sequence[Window], orders: dict[Sides, int]) -> list[CountModel]:
    """Count intervals, and choose how the orders of each kind of model are smoothed.

    Args:
        reference: The genome.
        intervals: Of what is trained on.
        orders: The highest of each kind.
    """
    longest = max(1 + sum(_context(sides, order)) for sides, order in orders.items())
    rest, held_out = _hold_out(intervals)
    counts = KmerCounts.of(reference, rest, longest)
    chosen = {
        sides: choose_strengths(counts, sides, order, list(pieces(reference, held_out, longest)), longest)
        for sides, order in orders.items()
    }
    del counts  # as large as those that follow
    counts = KmerCounts.of(reference, intervals, longest)
    return [CountModel(counts, sides, strengths) for sides, strengths in chosen.items()]


def choose_strengths(
    counts: KmerCounts, sides: Sides, order: int, held_out: Sequence[Codes], margin: int
) -> list[float]:
    """s_j of each order in turn that predicts sequences best, (T + 2m,) each."""
    there = [codes[margin:-margin] != OTHER for codes in held_out]
    own = [codes[margin:-margin][known] for codes, known in zip(held_out, there, strict=True)]
    p: Floats = np.full(sum(map(len, own)), 0.25)
    chosen = []
    for j in range(order + 1):
        ours, all_ = [], []
        for codes, known, base in zip(held_out, there, own, strict=True):
            found = counts.around(codes, margin, *_context(sides, j))[known]
            ours.append(np.take_along_axis(found, base[:, None].astype(np.int64), axis=1)[:, 0])
            all_.append(found.sum(axis=1))
        n, total = np.concatenate(ours), np.concatenate(all_)
        strength = max(
            STRENGTHS, key=lambda s, n=n, total=total, p=p: np.log(_smoothed(n, total, p, s)).sum()
        )
        p = _smoothed(n, total, p, strength)
        chosen.append(float(strength))
    return chosen


def pieces(reference: Reference, intervals: Iterable[Window], margin: int) -> Iterator[Codes]:
    """Intervals, a piece after the other, (T + 2m,) each."""
    for interval in intervals:
        for start in range(interval.start, interval.end, _PIECE):
            piece = Window(interval.contig, start, min(start + _PIECE, interval.end))
            yield read_codes(reference, piece, margin, interval)


def read_codes(reference: Reference, window: Window, margin: int, within: Window) -> Codes:
    """A window and its margins, (T + 2m,); what lies outside of `within` is unknown."""
    start, end = max(within.start, window.start - margin), min(within.end, window.end + margin)
    ids = tokens.encode(reference.fetch(window.contig, start, end))
    codes = np.where(tokens.is_base(ids), ids - tokens.A, OTHER).astype(np.uint8)
    outside = (start - window.start + margin, window.end + margin - end)
    return np.pad(codes, outside, constant_values=OTHER)


def model_name(sides: Sides, order: int) -> str:
    """As the tables call it."""
    return f"order-{order} Markov" if sides == "left" else f"{order}+{order} counts"


def _context(sides: Sides, order: int) -> tuple[int, int]:
    """Bases before and after."""
    return (order, 0) if sides == "left" else (order, order)


def _smoothed(
    counts: npt.NDArray[np.uint32], total: npt.NDArray[np.integer], below: Floats, strength: float
) -> Floats:
    return (counts + strength * below) / (total + strength)


def _hold_out(intervals: Sequence[Window]) -> tuple[list[Window], list[Window]]:
    """Most of the intervals, and one block in ten of them (of a large genome fewer)."""
    size = max(1, min(_BLOCK, sum(map(len, intervals)) // _FEWEST_BLOCKS))
    blocks = [
        Window(interval.contig, start, min(start + size, interval.end))
        for interval in intervals
        for start in range(interval.start, interval.end, size)
    ]
    every = max(_TENTH, len(blocks) // _MOST_HELD_OUT)
    held_out = blocks[every // 2 :: every]
    gone = set(held_out)
    return [block for block in blocks if block not in gone], held_out
