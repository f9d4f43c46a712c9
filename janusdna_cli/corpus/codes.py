"""Bases as numbers, and k-mers as numbers.

A base's code is 0 to 3 for A, C, G, T and OTHER for what is none of them; a k-mer's key has its first base as
the highest digit to the base of 4.

Legend: T bases of a sequence; ... any number of sequences.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["BASES", "OTHER", "Codes", "Keys", "Mask", "encode", "filled", "keys_of", "opposite", "runs"]

Codes = npt.NDArray[np.uint8]
Keys = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

BASES = "ACGT"
OTHER = 4

_CODES = np.full(256, OTHER, np.uint8)
for _letters in (b"ACGT", b"acgt"):
    _CODES[list(_letters)] = np.arange(4)
_CODES[list(b"Uu")] = BASES.index("T")


def encode(sequence: str | bytes) -> Codes:
    """Codes of a sequence in upper or lower case, (T,); U is T."""
    letters = sequence.encode() if isinstance(sequence, str) else sequence
    return _CODES[np.frombuffer(letters, np.uint8)]


def opposite(codes: Codes) -> Codes:
    """The other strand, along the last axis, (..., T)."""
    return np.where(codes == OTHER, codes, 3 - codes)[..., ::-1]


def keys_of(codes: Codes, k: int) -> Keys:
    """The key of each k-mer, (T - k + 1,); -1 where a base of it is unknown."""
    count = max(0, len(codes) - k + 1)
    keys, unknown = np.zeros(count, np.int64), np.zeros(count, bool)
    for offset in range(k):
        own = codes[offset : offset + count]
        keys <<= 2
        keys |= own & 3
        unknown |= own == OTHER
    keys[unknown] = -1
    return keys


def filled(length: int, starts: Keys, ends: Keys) -> Mask:
    """True within each of some stretches, which may overlap, (length,)."""
    steps = np.zeros(length + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, ends, -1)
    return np.cumsum(steps[:-1]) > 0


def runs(mask: Mask) -> tuple[Keys, Keys]:
    """Where stretches of True begin, and after their last, (n,) each."""
    edges = np.flatnonzero(np.diff(np.pad(mask, 1).astype(np.int8)))
    return edges[::2], edges[1::2]
