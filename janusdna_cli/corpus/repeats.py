"""Repeats, told from the sequence alone: words that are frequent in a genome, and tandem repeats."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from janusdna_cli.corpus.codes import OTHER, Codes, Keys, Mask, filled, keys_of, opposite, runs

__all__ = ["LONGEST_PERIOD", "SHORTEST_RUN", "covered", "frequent", "tandem"]

LONGEST_PERIOD, SHORTEST_RUN = 6, 12


def frequent(sequences: Iterable[Codes], k: int, times: int) -> Keys:
    """k-mers found at least so many times in sequences and their other strands, sorted.

    A base of the sequences takes 4 bytes, or 8 where k is above 16, and twice that while they are sorted.
    """
    kind = np.uint32 if k <= 16 else np.uint64
    found = [np.zeros(0, kind)]
    for codes in sequences:
        keys = keys_of(codes, k)
        others = keys_of(opposite(codes), k)[::-1]
        # Of a k-mer and its other strand the lower one; one that is its own other strand is there twice.
        found.append(np.minimum(keys, others)[keys >= 0].astype(kind))
        found.append(keys[(keys >= 0) & (keys == others)].astype(kind))
    whole = np.concatenate(found)
    found.clear()
    whole.sort()
    starts = np.flatnonzero(np.concatenate((np.ones(min(1, len(whole)), bool), whole[1:] != whole[:-1])))
    counts = np.diff(np.append(starts, len(whole)))
    kept = whole[starts[counts >= times]].astype(np.int64)
    return np.unique(np.concatenate((kept, _of_other_strand(kept, k))))


def covered(codes: Codes, k: int, keys: Keys) -> Mask:
    """Bases that lie in one of some k-mers, (T,).

    Args:
        codes: (T,).
        k: Bases of a k-mer.
        keys: Of the k-mers, sorted, (n,).
    """
    if not len(keys):
        return np.zeros(len(codes), bool)
    own = keys_of(codes, k)
    at = np.minimum(np.searchsorted(keys, own), len(keys) - 1)
    found = np.flatnonzero(keys[at] == own)
    return filled(len(codes), found, found + k)


def tandem(codes: Codes) -> Mask:
    """Bases in a run that repeats itself every 1 to 6 bases, 12 bases on end and more, (T,)."""
    mask = np.zeros(len(codes), bool)
    for period in range(1, LONGEST_PERIOD + 1):
        same = (codes[period:] == codes[:-period]) & (codes[period:] != OTHER)
        starts, ends = runs(same)
        long = ends - starts >= SHORTEST_RUN
        mask |= filled(len(codes), starts[long], ends[long] + period)
    return mask


def _of_other_strand(keys: Keys, k: int) -> Keys:
    turned, rest = np.zeros_like(keys), keys.copy()
    for _ in range(k):
        turned = turned << 2 | (3 - (rest & 3))
        rest >>= 2
    return turned
