"""From the hidden states of a region's bases to its rows: one vector a region, or one a base.

Only A, C, G and T bases are embedded: N and the other IUPAC codes say nothing of the sequence.
Legend: n bases of a part, d hidden size.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
import numpy.typing as npt

__all__ = ["POOLS", "EmbeddedRow", "Pool", "Pooling", "pooling"]

Pool = Literal["mean", "max", "center", "none"]
POOLS: tuple[Pool, ...] = get_args(Pool)
Hidden = npt.NDArray[np.float32]


class EmbeddedRow(NamedTuple):
    """One row of the table.

    Attributes:
        pos: 1-based position of the base; None where the row is a whole region's.
        n_bases: A, C, G, T bases read for it.
        embedding: (d,), or None where there is no such base.
    """

    pos: int | None
    n_bases: int
    embedding: Hidden | None


class Pooling(Protocol):
    """Takes a region part by part and gives the rows that a part completes."""

    def rows(
        self, hidden: Hidden, is_base: npt.NDArray[np.bool_], start: int, is_last: bool
    ) -> list[EmbeddedRow]:
        """Take the next part of a region.

        Args:
            hidden: (n, d).
            is_base: Where the part is A, C, G or T, (n,).
            start: First base of the part, 0-based on the contig.
            is_last: Whether this part completes the region.
        """
        ...


def pooling(pool: Pool) -> Pooling:
    """The pooling of that name; `center` is the mean of the one base that is read for it."""
    if pool == "none":
        return _PerBase()
    return _Maximum() if pool == "max" else _Mean()


class _PerBase:
    def rows(
        self, hidden: Hidden, is_base: npt.NDArray[np.bool_], start: int, is_last: bool
    ) -> list[EmbeddedRow]:
        return [
            EmbeddedRow(start + offset + 1, int(real), vector if real else None)
            for offset, (vector, real) in enumerate(zip(hidden, is_base, strict=True))
        ]


class _Mean:
    def __init__(self) -> None:
        self._count = 0
        self._sum: npt.NDArray[np.float64] | float = 0.0

    def rows(
        self, hidden: Hidden, is_base: npt.NDArray[np.bool_], start: int, is_last: bool
    ) -> list[EmbeddedRow]:
        self._count += int(is_base.sum())
        self._sum = self._sum + hidden[is_base].sum(axis=0, dtype=np.float64)
        if not is_last:
            return []
        count, total = self._count, np.asarray(self._sum)
        self._count, self._sum = 0, 0.0
        return [EmbeddedRow(None, count, (total / count).astype(np.float32) if count else None)]


class _Maximum:
    def __init__(self) -> None:
        self._count = 0
        self._highest: Hidden | None = None

    def rows(
        self, hidden: Hidden, is_base: npt.NDArray[np.bool_], start: int, is_last: bool
    ) -> list[EmbeddedRow]:
        if is_base.any():
            self._count += int(is_base.sum())
            highest = hidden[is_base].max(axis=0)
            self._highest = highest if self._highest is None else np.maximum(self._highest, highest)
        if not is_last:
            return []
        row = EmbeddedRow(None, self._count, self._highest)
        self._count, self._highest = 0, None
        return [row]
