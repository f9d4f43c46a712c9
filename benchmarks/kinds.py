"""Which kind of base is where: BED with the kind of its bases in column 4."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gene_parts import Positions

from janusdna_cli.corpus.codes import Mask
from janusdna_cli.genome.bed import read_regions
from janusdna_cli.genome.windows import Window

ALL, FIRST_EXON = "all", "first exon"
_UNKNOWN = -1


class Kinds:
    """Kinds of bases, which do not overlap.

    Attributes:
        names: Of the kinds, in the order in which they are found.
    """

    def __init__(
        self, names: Sequence[str], parts: dict[str, tuple[Positions, Positions, Positions]]
    ) -> None:
        self.names = list(names)
        self._parts = parts

    @classmethod
    def read(cls, path: Path | None, intervals: Sequence[Window]) -> Kinds:
        """Of the contigs that have an interval; none without a file."""
        contigs = {interval.contig for interval in intervals}
        names: dict[str, int] = {}
        found: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for region in () if path is None else read_regions(str(path)):
            if region.chrom in contigs:
                kind = names.setdefault(str(region.name), len(names))
                found[region.chrom].append((region.start, region.end, kind))
        parts = {contig: tuple(np.array(sorted(each)).T) for contig, each in found.items()}
        return cls(list(names), parts)

    def masks(self, window: Window) -> dict[str, Mask]:
        """Where in a window each kind is, (T,)."""
        painted = self._paint(window)
        return {name: painted == number for number, name in enumerate(self.names)}

    def _paint(self, window: Window) -> npt.NDArray[np.int16]:
        painted = np.full(len(window), _UNKNOWN, np.int16)
        if window.contig in self._parts:
            starts, ends, kinds = self._parts[window.contig]
            first, last = np.searchsorted(ends, window.start, "right"), np.searchsorted(starts, window.end)
            for which in range(first, last):
                part = slice(max(0, starts[which] - window.start), max(0, ends[which] - window.start))
                painted[part] = kinds[which]
        return painted
