"""A map of which bases' substitutions change what is predicted where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from janusdna import tokens

__all__ = ["DependencyMap"]


@dataclass(frozen=True, eq=False)
class DependencyMap:
    """The nucleotide dependencies of a region of n bases.

    Attributes:
        chrom: The region's contig, as it was asked for.
        start: The region's first base, 0-based.
        ids: Token ids of the reference's bases, (n,).
        by_allele: In bits, of a substitution of base i by A, C, G or T what changes at base j, (n, 4, n)
            float32 as [i, allele, j]; NaN where i is j, at the reference's own base, and where the base i is
            none of A, C, G, T.
    """

    chrom: str
    start: int
    ids: npt.NDArray[np.uint8]
    by_allele: npt.NDArray[np.float32]

    @property
    def region(self) -> str:
        """As `--region` takes it."""
        return f"{self.chrom}:{self.start + 1:,}-{self.start + len(self.ids):,}"

    @property
    def positions(self) -> npt.NDArray[np.int64]:
        """Of the bases on the contig, 1-based, (n,)."""
        return self.start + 1 + np.arange(len(self.ids))

    @property
    def codes(self) -> npt.NDArray[np.int64]:
        """Of the bases, 0 to 3 for A, C, G, T, (n,); -1 for what is none of them."""
        return np.where(tokens.is_base(self.ids), self.ids.astype(np.int64) - tokens.A, -1)

    @property
    def matrix(self) -> npt.NDArray[np.float32]:
        """The largest change at base j of any substitution of base i, (n, n) as [i, j], or NaN."""
        highest = np.where(np.isnan(self.by_allele), np.float32(-1), self.by_allele).max(axis=1)
        return np.where(highest < 0, np.float32(np.nan), highest)
