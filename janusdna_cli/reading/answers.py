"""What a model says of a window, in forward-strand coordinates and letters, asked by position.

Legend: S strands read, n targets of a window, m positions read of a haplotype, d hidden size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna_cli.reading.requests import Haplotype, Request

__all__ = ["HaplotypeAnswer", "WindowAnswer", "entropies"]

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class HaplotypeAnswer:
    """What a few neighbouring positions of a haplotype come to.

    Attributes:
        ids: Token ids there, (m,).
        logp: Natural log p over A, C, G, T by each strand, (S, m, 4) float32; (S, m, 0) where a layer of the
            streams was read.
        hidden: Mean over the positions, averaged over the strands, (d,) float64.
    """

    ids: npt.NDArray[np.uint8]
    logp: Floats
    hidden: npt.NDArray[np.float64]

    @property
    def pll(self) -> float:
        """Pseudo-log-likelihood of the positions read; those that are not A, C, G, T do not count."""
        return float(np.nansum(_own_logp(self.logp, self.ids), axis=1, dtype=np.float64).mean())


@dataclass(frozen=True, eq=False)
class WindowAnswer:
    """The answer to a request.

    Attributes:
        request: What was asked.
        logp: Natural log p over A, C, G, T at each target by each strand, (S, n, 4) float32; (S, n, 0) where
            a layer of the streams was read.
        hidden: What the head reads, or that layer's states, averaged over the strands, (n, d) float32.
        haplotypes: Of each of the request's.
    """

    request: Request
    logp: Floats
    hidden: Floats
    haplotypes: Mapping[Haplotype, HaplotypeAnswer]

    @cached_property
    def n_frac(self) -> float:
        """Share of the window's bases that are not A, C, G or T."""
        ids = self.request.ids
        return 1 - int(np.count_nonzero(tokens.is_base(ids))) / len(ids)

    def entropy(self, position: int) -> float:
        """Over A, C, G, T at a position, in bits.

        Raises:
            KeyError: If it was not asked for.
        """
        return float(entropies(self.logp_at(np.array([position])))[0])

    def logp_at(self, positions: Positions) -> Floats:
        """Log p over A, C, G, T at `positions` by each strand, (S, m, 4).

        Raises:
            KeyError: If a position was not asked for.
        """
        return self.logp[:, self.rows(positions)]

    def own(self, positions: Positions) -> HaplotypeAnswer:
        """The window's own bases at `positions`, as a haplotype is read.

        Raises:
            KeyError: If a position was not asked for.
        """
        rows = self.rows(positions)
        hidden = self.hidden[rows].mean(0, dtype=np.float64)
        return HaplotypeAnswer(self.request.ids[positions], self.logp[:, rows], hidden)

    def rows(self, positions: Positions) -> Positions:
        """Which of the targets `positions` are.

        Raises:
            KeyError: If one was not asked for.
        """
        targets = self.request.targets
        rows = np.searchsorted(targets, positions)
        found = targets.take(rows, mode="clip") == positions
        if not found.all():
            raise KeyError(f"position {positions[~found][0]} of the window was not asked for")
        return rows


def entropies(logp: Floats) -> npt.NDArray[np.float64]:
    """Entropy over A, C, G, T in bits, the mean of the strands' entropies.

    Args:
        logp: Natural log p by each strand, (S, m, 4).

    Returns:
        Of each of the positions, (m,).
    """
    exact = logp.astype(np.float64)
    bits: npt.NDArray[np.float64] = -(np.exp(exact) * exact).sum(axis=(0, 2)) / (len(logp) * np.log(2))
    return bits


def _own_logp(logp: Floats, ids: npt.NDArray[np.uint8]) -> Floats:
    """Of (..., m, 4) what the m bases themselves have, (..., m); NaN at what is not A, C, G or T."""
    known = tokens.is_base(ids)
    bases = np.where(known, ids.astype(np.int64) - tokens.A, 0)
    found = np.take_along_axis(logp, np.broadcast_to(bases[:, None], (*logp.shape[:-1], 1)), axis=-1)[..., 0]
    return np.where(known, found, np.float32(np.nan))
