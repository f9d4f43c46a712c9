"""What is asked of a model: windows on the forward strand, and where to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["BOTH_STRANDS", "FORWARD", "REVERSE", "Haplotype", "Request"]

FORWARD: tuple[bool, ...] = (False,)
REVERSE: tuple[bool, ...] = (True,)
BOTH_STRANDS = FORWARD + REVERSE


@dataclass(frozen=True, slots=True, eq=False)
class Haplotype:
    """A window with its bases [start, end) replaced, to be read around them.

    Attributes:
        start, end: 0-based half-open, within the window.
        ids: Token ids that stand there instead, (a,) uint8.
        first, last: Positions of the window around [start, end) that are read, 0-based half-open; of the
            haplotype these are `first` to `last` + a - (end - start).
    """

    start: int
    end: int
    ids: npt.NDArray[np.uint8]
    first: int
    last: int

    def read_ids(self, window: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Token ids of the haplotype where it is read, (m,)."""
        return np.concatenate((window[self.first : self.start], self.ids, window[self.end : self.last]))


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One window and where to read it.

    Attributes:
        ids: Token ids of the forward strand, (T,) uint8.
        targets: 0-based positions within the window, ascending, (n,), n >= 1.
        strands: Which strands to read: FORWARD, REVERSE or BOTH_STRANDS.
        haplotypes: Edited versions of the window; where they are read the window is read too.
    """

    ids: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.int64]
    strands: tuple[bool, ...]
    haplotypes: Sequence[Haplotype] = ()
