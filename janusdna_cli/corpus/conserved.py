"""Stretches that are like exons of other species: k-mers shared with them, in the same order and distance.

Two k-mers of a contig belong together where they lie at most 60 bases apart and their diagonals (a k-mer's
place in the exons less its place on the contig) differ by at most 3: substitutions between them are free,
insertions and deletions may be short.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from janusdna_cli.corpus.codes import Codes, Keys, Mask, filled, keys_of, opposite

__all__ = ["K", "ExonIndex"]

K = 14
_MOST_APART, _MOST_SHIFTED, _SHORTEST = 60, 3, 20
# A k-mer that is found more often tells nothing of where it comes from.
_MOST_PLACES = 4
# A place takes the lower bits of an entry: 34 Gb of genomes.
_PLACE_BITS = 35
_PLACES = (1 << _PLACE_BITS) - 1
# Bins of diagonals, twice, the second time by half a bin further: any two that belong together share one.
_BIN_BITS = 3


class ExonIndex:
    """Where the k-mers of exons are; 8 bytes each.

    Args:
        exons: Each with the place of its first base, all places apart; OTHER for what is to be left out.
    """

    def __init__(self, exons: Iterable[tuple[int, Codes]]) -> None:
        found = [np.zeros(0, np.int64)]
        for place, codes in exons:
            keys = keys_of(codes, K)
            at = np.flatnonzero(keys >= 0)
            found.append(keys[at] << _PLACE_BITS | (at + place))
        entries = np.concatenate(found)
        found.clear()
        entries.sort()
        self._entries = _without_frequent(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def like_exons(self, codes: Codes) -> Mask:
        """The bases of a sequence that are like exons on either strand, (T,)."""
        return self._like_exons(codes) | self._like_exons(opposite(codes))[::-1]

    def _like_exons(self, codes: Codes) -> Mask:
        mask = np.zeros(len(codes), bool)
        at, places = self._hits(codes)
        diagonals = places - at + len(codes)
        for shift in (0, 1 << (_BIN_BITS - 1)):
            mask |= filled(len(codes), *_chains(at, diagonals, (diagonals + shift) >> _BIN_BITS))
        return mask

    def _hits(self, codes: Codes) -> tuple[Keys, Keys]:
        """Where a k-mer of the exons stands, and where it does in these, (n,) each."""
        keys = keys_of(codes, K)
        order = np.argsort(keys)  # in this order the search walks the index once
        order = order[np.searchsorted(keys, 0, sorter=order) :]
        lowest = keys[order] << _PLACE_BITS
        first = np.searchsorted(self._entries, lowest)
        counts = np.searchsorted(self._entries, lowest | _PLACES, side="right") - first
        which = np.repeat(first, counts) + _within(counts)
        return np.repeat(order, counts), self._entries[which] & _PLACES


def _without_frequent(entries: Keys) -> Keys:
    keys = entries >> _PLACE_BITS
    starts = np.flatnonzero(np.concatenate((np.ones(min(1, len(keys)), bool), keys[1:] != keys[:-1])))
    counts = np.diff(np.append(starts, len(keys)))
    return entries[np.repeat(counts <= _MOST_PLACES, counts)]


def _within(counts: Keys) -> Keys:
    """0, 1, ... within each of some groups, (sum of counts,)."""
    ends = np.cumsum(counts)
    return np.arange(counts.sum()) - np.repeat(ends - counts, counts)


def _chains(at: Keys, diagonals: Keys, bins: Keys) -> tuple[Keys, Keys]:
    """Starts and ends of chains of hits that follow each other in a bin, (n,) each."""
    order = np.lexsort((at, bins))
    at, diagonals, bins = at[order], diagonals[order], bins[order]
    is_linked = (
        (np.diff(bins) == 0)
        & (np.diff(at) <= _MOST_APART)
        & (np.abs(np.diff(diagonals)) <= _MOST_SHIFTED)
    )  # fmt: skip
    edge = np.ones(min(1, len(at)), bool)
    first = np.flatnonzero(np.concatenate((edge, ~is_linked)))
    last = np.flatnonzero(np.concatenate((~is_linked, edge)))
    starts, ends = at[first], at[last] + K
    kept = (last > first) & (ends - starts >= _SHORTEST)
    return starts[kept], ends[kept]
