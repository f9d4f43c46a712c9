"""One strand of a request: its mirror image in, forward-strand coordinates and letters out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from janusdna import tokens
from janusdna.reader import Edit
from janusdna_cli.reading.answers import HaplotypeAnswer, WindowAnswer
from janusdna_cli.reading.requests import Haplotype, Request

__all__ = ["Positions", "StrandOfRequest", "averaged"]

Floats = npt.NDArray[np.float32]


class Positions(NamedTuple):
    """Some positions as a strand was read.

    Attributes:
        logp: Over A, C, G, T, (n, 4).
        hidden: (n, d).
    """

    logp: Floats
    hidden: Floats


@dataclass(frozen=True, eq=False)
class StrandOfRequest:
    """What one row of a batch reads.

    Attributes:
        request: In forward-strand coordinates.
        reverse: Whether the other strand is read.
    """

    request: Request
    reverse: bool

    def ids(self) -> npt.NDArray[np.uint8]:
        """Token ids of this strand, (T,)."""
        return tokens.reverse_complement(self.request.ids) if self.reverse else self.request.ids

    def targets(self) -> npt.NDArray[np.int64]:
        """Positions on this strand, ascending, (n,)."""
        targets = self.request.targets
        return (len(self.request.ids) - 1 - targets[::-1]).copy() if self.reverse else targets

    def edit(self, row: int, haplotype: Haplotype) -> Edit:
        """A haplotype on this strand, of the window that is a batch's `row`."""
        start, end, first, last = haplotype.start, haplotype.end, haplotype.first, haplotype.last
        ids, length = haplotype.ids, len(self.request.ids)
        if self.reverse:
            start, end, first, last = length - end, length - start, length - last, length - first
            ids = tokens.reverse_complement(ids)
        return Edit(row, start, end, torch.from_numpy(ids).long(), first, last)

    def answer(self, targets: Positions, haplotypes: Mapping[Haplotype, Positions]) -> WindowAnswer:
        """What was read, turned to the forward strand; of `targets` the first n are the request's."""
        count, step = len(self.request.targets), -1 if self.reverse else 1
        return WindowAnswer(
            self.request,
            self._turned(targets.logp[:count])[None],
            targets.hidden[:count][::step],
            {haplotype: self._of_haplotype(haplotype, found) for haplotype, found in haplotypes.items()},
        )

    def _of_haplotype(self, haplotype: Haplotype, found: Positions) -> HaplotypeAnswer:
        ids = haplotype.read_ids(self.request.ids)
        hidden = found.hidden.mean(axis=0, dtype=np.float64)
        return HaplotypeAnswer(ids, self._turned(found.logp)[None], hidden)

    def _turned(self, logp: Floats) -> Floats:
        """Log p of A, C, G, T, (n, 4); the other strand's turned round is that of T, G, C, A."""
        return logp[::-1, ::-1] if self.reverse else logp


def averaged(strands: Sequence[WindowAnswer]) -> WindowAnswer:
    """One answer of those of a request's strands: log p of each, hidden states averaged."""
    if len(strands) == 1:
        return strands[0]
    request = strands[0].request
    first, *others = (strand.hidden for strand in strands)
    hidden: Floats = sum(others, start=first) / np.float32(len(strands))
    haplotypes = {}
    for haplotype in request.haplotypes:
        found = [strand.haplotypes[haplotype] for strand in strands]
        haplotypes[haplotype] = HaplotypeAnswer(
            found[0].ids,
            np.concatenate([each.logp for each in found]),
            np.mean([each.hidden for each in found], axis=0),
        )
    return WindowAnswer(request, np.concatenate([strand.logp for strand in strands]), hidden, haplotypes)
