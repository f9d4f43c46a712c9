"""Nucleotides as token ids: one byte a base, no torch.

    0 [CLS]  1 [SEP]  2 [BOS]  3 [MASK]  4 [PAD]  5 [RESERVED]  6 [UNK]  7 A  8 C  9 G  10 T  11 N

Case is ignored. U, as RNA has it, is T. N and every other IUPAC code that is not A, C, G or T is fed as
[PAD], as in pretraining.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from janusdna.errors import SequenceError

__all__ = [
    "ACGT",
    "MASK",
    "PAD",
    "TOKENS",
    "A",
    "C",
    "G",
    "T",
    "complement",
    "encode",
    "is_base",
    "reverse_complement",
]

TOKENS = ("[CLS]", "[SEP]", "[BOS]", "[MASK]", "[PAD]", "[RESERVED]", "[UNK]", "A", "C", "G", "T", "N")
MASK, PAD = TOKENS.index("[MASK]"), TOKENS.index("[PAD]")
A, C, G, T = (TOKENS.index(base) for base in "ACGT")
ACGT = slice(A, T + 1)

_IUPAC_NOT_ACGT = b"NRYSWKMBDHV"
_INVALID = 255


def _encoding_table() -> npt.NDArray[np.uint8]:
    table = np.full(256, _INVALID, dtype=np.uint8)
    for letters, tokens in ((b"ACGTU", (A, C, G, T, T)), (_IUPAC_NOT_ACGT, (PAD,) * len(_IUPAC_NOT_ACGT))):
        for letter, token in zip(letters, tokens, strict=True):
            table[letter] = table[ord(chr(letter).lower())] = token
    table[list(b"Xx-")] = PAD
    return table


def _complement_table() -> npt.NDArray[np.uint8]:
    table = np.arange(256, dtype=np.uint8)
    table[[A, C, G, T]] = T, G, C, A
    return table


_ENCODE = _encoding_table()
_COMPLEMENT = _complement_table()


def encode(sequence: str | bytes) -> npt.NDArray[np.uint8]:
    """Token ids, (T,) uint8, of a nucleotide sequence.

    Raises:
        SequenceError: At a letter that is no IUPAC nucleotide code.
    """
    try:
        letters = sequence.encode("ascii") if isinstance(sequence, str) else sequence
    except UnicodeEncodeError as error:
        raise SequenceError(
            f"position {error.start} is {sequence[error.start]!r}: not a nucleotide"
        ) from None
    ids = _ENCODE[np.frombuffer(letters, dtype=np.uint8)]
    if (ids == _INVALID).any():
        at = int(np.argmax(ids == _INVALID))
        raise SequenceError(
            f"position {at} is {chr(letters[at])!r}: expected A, C, G, T or an IUPAC code in either case"
        )
    return ids


def complement(ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The complementary bases, position by position; other tokens stay."""
    return _COMPLEMENT[ids]


def reverse_complement(ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The other strand: along the last axis, position t becomes n - 1 - t, complemented."""
    return _COMPLEMENT[ids][..., ::-1].copy()


def is_base(ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Where `ids` are A, C, G or T."""
    return (ids >= A) & (ids <= T)
