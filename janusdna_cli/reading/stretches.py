"""Regions base by base: which neighbouring bases are read in which window."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from janusdna_cli.genome.bed import Region
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.places import RegionStatus, region_status
from janusdna_cli.genome.windows import WINDOWS_OVER, Context, Window

__all__ = ["OUTSIDE", "RegionsOutside", "Stretch", "stretches"]

# Of regions that have no bases to read.
OUTSIDE = pa.array([str(each) for each in RegionStatus if each not in ("ok", "non_acgt")])

_MOST_TOLD = 10

_log = logging.getLogger("janusdna")


class Stretch(NamedTuple):
    """Neighbouring bases of a contig, [start, end) 0-based, that are read in one window.

    A region that cannot be read is a stretch without a window, and without bases.

    Attributes:
        chrom: The FASTA's name; where it has none, that of the region.
        start, end: Of the bases; `start` of a region that cannot be read is the region's.
        status: ok, or why the region cannot be read.
        window: Where they are read.
    """

    chrom: str
    start: int
    end: int
    status: RegionStatus
    window: Window | None

    def __len__(self) -> int:
        return self.end - self.start


def stretches(
    regions: Iterable[Region], reference: Reference, size: int, context: Context, most: int
) -> Iterator[Stretch]:
    """All bases of regions, region by region, from the left to the right.

    Args:
        regions: Where; overlapping ones each for itself.
        reference: The genome.
        size: Bases of a window.
        context: Where in its window a base is read.
        most: Bases that are read at once: what more there are of a window is read in it once more.
    """
    for region in regions:
        contig, status = reference.find(region.chrom), region_status(region, reference)
        if contig is None or status is not RegionStatus.ok:
            yield Stretch(contig or region.chrom, region.start, region.start, status, None)
            continue
        over = WINDOWS_OVER[context](contig, region.start, region.end, size, reference.lengths[contig])
        for window, first, last in over:
            for start in range(first, last, most):
                yield Stretch(contig, start, min(start + most, last), status, window)


class RegionsOutside:
    """Notes the rows of regions that have no bases to read, and says so: the first ten in a line each.

    Args:
        source: Where the regions come from, as messages name it.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: list[tuple[str, int, str]] = []
        self._count = 0

    def add(self, rows: pa.Table) -> None:
        """Note rows of a table: `chrom`, `pos`, `status`."""
        outside = rows.filter(pc.is_in(rows["status"], OUTSIDE))
        self._count += outside.num_rows
        room = _MOST_TOLD - len(self._found)
        told = outside.slice(0, room).select(["chrom", "pos", "status"]).to_pylist()
        self._found += [(row["chrom"], row["pos"], row["status"]) for row in told]

    def warn(self) -> None:
        """Say which."""
        for chrom, pos, status in self._found:
            _log.warning("%s: the region from %s:%s is not read: %s", self._source, chrom, f"{pos:,}", status)
        if more := self._count - len(self._found):
            _log.warning("%s: %s more regions are not read", self._source, f"{more:,}")
