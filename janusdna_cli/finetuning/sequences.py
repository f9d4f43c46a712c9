"""Many sequences as token ids, on the disk: memory holds those that are looked at."""

from __future__ import annotations

import hashlib
import mmap
import tempfile
import weakref
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from janusdna import tokens

__all__ = ["Chosen", "Ids", "SequenceStore", "letters", "strandless_digest"]

Ids = npt.NDArray[np.uint8]

_LETTERS = np.frombuffer(bytes(ord(name) if len(name) == 1 else ord("N") for name in tokens.TOKENS), np.uint8)


class SequenceStore:
    """Sequences by their number, in a file that has no name and goes when it is no longer used."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="janusdna-")  # noqa: SIM115 - lives as long as this
        weakref.finalize(self, self._file.close)
        self._digest = hashlib.sha256()
        self._ends = [0]
        self._mapped: mmap.mmap | None = None

    def add(self, ids: Ids) -> None:
        """Take the next one, (T,) uint8.

        Raises:
            OSError: If the disk is full.
        """
        self._mapped = None
        self._file.write(ids.tobytes())
        self._digest.update(len(ids).to_bytes(8, "little") + ids.tobytes())
        self._ends.append(self._ends[-1] + len(ids))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> Ids:
        if self._mapped is None:
            self._file.flush()
            self._mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        start, end = self._ends[number : number + 2]
        return np.frombuffer(self._mapped, np.uint8, end - start, start)

    @property
    def digest(self) -> str:
        """Of all of them in their order."""
        return self._digest.hexdigest()

    def length(self, number: int) -> int:
        """Of a sequence."""
        return self._ends[number + 1] - self._ends[number]


class Chosen:
    """Some sequences of a store, in an order.

    Args:
        store: Of all.
        numbers: Which.
    """

    def __init__(self, store: SequenceStore, numbers: Sequence[int]) -> None:
        self._store, self._numbers = store, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place: int) -> Ids:
        return self._store[int(self._numbers[place])]

    def length(self, place: int) -> int:
        """Of one."""
        return self._store.length(int(self._numbers[place]))


def letters(ids: Ids) -> str:
    """A, C, G, T, and N for all else."""
    return _LETTERS[ids].tobytes().decode("ascii")


def strandless_digest(ids: Ids, other: Ids | None = None) -> bytes:
    """The same for a sequence, or a pair, and for its reverse complement."""

    def of(*sides: Ids) -> bytes:
        found = hashlib.blake2b(digest_size=16)
        for side in sides:
            found.update(len(side).to_bytes(8, "little"))
            found.update(side.tobytes())
        return found.digest()

    sides = (ids,) if other is None else (ids, other)
    return min(of(*sides), of(*(tokens.reverse_complement(side) for side in sides)))
