"""Regions of a genome put together: what they cover, each base once."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from janusdna_cli.genome.bed import Region
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.places import RegionStatus, region_status

__all__ = ["Positions", "merged", "union"]

Positions = npt.NDArray[np.int64]


def union(regions: Iterable[Region], reference: Reference) -> Iterator[Region]:
    """What regions cover, in the order of the FASTA's contigs and from the left to the right.

    Regions that touch become one. Those that cannot be read come first, as they are. A region takes sixteen
    bytes.

    Args:
        regions: In any order.
        reference: The genome.
    """
    ends: defaultdict[str, tuple[array[int], array[int]]] = defaultdict(lambda: (array("q"), array("q")))
    for region in regions:
        contig = reference.find(region.chrom)
        if contig is None or region_status(region, reference) is not RegionStatus.ok:
            yield region
            continue
        ends[contig][0].append(region.start)
        ends[contig][1].append(region.end)
    for contig in reference.lengths:
        if contig in ends:
            starts, stops = merged(*ends[contig])
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
                yield Region(contig, start, stop, None, None, (), 0)


def merged(starts: array[int], stops: array[int]) -> tuple[Positions, Positions]:
    """Stretches of one contig, one at least, ascending and apart: those that overlap or touch are one.

    Args:
        starts: First bases, in any order, (n,).
        stops: After the last base of each, (n,).
    """
    first, last = np.asarray(starts), np.asarray(stops)
    order = np.argsort(first, kind="stable")
    first, reached = first[order], np.maximum.accumulate(last[order])
    begins = np.flatnonzero(np.concatenate(([True], first[1:] > reached[:-1])))
    ends = np.concatenate((begins[1:] - 1, [len(first) - 1]))
    return first[begins], reached[ends]
