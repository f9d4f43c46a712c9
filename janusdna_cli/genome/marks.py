"""What each base of a genome is, and what it counts: a BED of kinds and weights.

Where lines overlap the later one holds, so that files can simply follow one another.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.agreement import NamesSeen
from janusdna_cli.genome.bed import Region, read_regions
from janusdna_cli.genome.genomes import Genomes
from janusdna_cli.genome.splits import weight_of
from janusdna_cli.genome.streams import input_name
from janusdna_cli.genome.windows import Window

__all__ = ["UNMARKED", "Marks", "read_marks"]

UNMARKED = "unmarked"
_MOST_MARKS, _MOST_KINDS = 1 << 16, 1 << 8


class _Stretches(NamedTuple):
    """Of a contig, side by side from its first base to its last.

    Attributes:
        ends: After each, rising, (n,).
        marks: Of each, (n,).
    """

    ends: npt.NDArray[np.int64]
    marks: npt.NDArray[np.uint16]


class Marks:
    """The kind of each base and what it counts.

    Args:
        contigs: The stretches of those that have a mark.
        kinds: Names of the kinds; the first is that of bases without a mark.
        kind_of: The kind of each mark, (marks,).
        weight_of: What each mark counts, (marks,).
    """

    def __init__(
        self,
        contigs: Mapping[str, _Stretches],
        kinds: tuple[str, ...],
        kind_of: npt.NDArray[np.uint8],
        weight_of: npt.NDArray[np.float32],
    ) -> None:
        self.kinds = kinds
        self._contigs = contigs
        self._kind_of = kind_of
        self._weight_of = weight_of

    def at(self, window: Window) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """The kind of each base of a window, by its number in `kinds`, and its weight, (T,) each."""
        found = self._contigs.get(window.contig)
        if found is None:
            return np.zeros(len(window), np.uint8), np.ones(len(window), np.float32)
        first, last = np.searchsorted(found.ends, (window.start, window.end - 1), side="right")
        ends = np.minimum(found.ends[first : last + 1], window.end)
        marks = np.repeat(found.marks[first : last + 1], np.diff(ends, prepend=window.start))
        return self._kind_of[marks], self._weight_of[marks]

    def digest(self) -> str:
        """The same of the same marks."""
        digest = hashlib.sha256(repr((self.kinds, self._kind_of.tolist(), self._weight_of.tolist())).encode())
        for contig, stretches in sorted(self._contigs.items()):
            digest.update(contig.encode() + stretches.ends.tobytes() + stretches.marks.tobytes())
        return digest.hexdigest()


def read_marks(source: str, genomes: Genomes) -> Marks:
    """The marks of a BED: kinds in the fourth column, weights in the fifth; 1 where there is none.

    Lines on contigs that the genomes do not have are passed over. Before a kind stands the name of its genome
    where that has one, as in `human.exon`.

    Args:
        source: A path, or "-" for stdin; plain, gzip or bgzip.
        genomes: What is marked.

    Raises:
        InputError: The file cannot be read, no line is of one of the contigs, or there are too many kinds.
        RecordError: A line has no weight, or reaches outside its contig.
    """
    name = input_name(source)
    numbers, seen = _Numbers(name), NamesSeen(name, "lines", genomes)
    lines: defaultdict[str, _Lines] = defaultdict(_Lines)
    for region in read_regions(source):
        seen.add(region.chrom)
        contig = genomes.find(region.chrom)
        if contig is not None and region.start < region.end:
            _check_inside(region, genomes.lengths[contig], genomes.path, name)
            mark = numbers.of(genomes.genomes[contig], region.name or "", weight_of(region, name))
            lines[contig].add(region.start, region.end, mark)
    seen.warn()
    if not lines:
        raise InputError(
            f"{name}: no line is on a contig of {genomes.path}, expected BED with a kind in column 4 and a "
            "weight in column 5"
        )
    painted = {contig: found.painted(genomes.lengths[contig]) for contig, found in lines.items()}
    return Marks(painted, *numbers.tables())


def _check_inside(region: Region, length: int, fasta: str, source: str) -> None:
    if region.end > length:
        place = f"{region.chrom}:{region.start}-{region.end}"
        raise RecordError(
            source,
            f"line {region.line}",
            f"{place} reaches outside the contig's {length:,} bases; the weights are probably of another "
            f"assembly than {fasta}",
        )


class _Lines:
    """The lines of a contig, in the order of the file."""

    def __init__(self) -> None:
        self._starts, self._ends, self._marks = array("q"), array("q"), array("H")

    def add(self, start: int, end: int, mark: int) -> None:
        """The next one."""
        self._starts.append(start)
        self._ends.append(end)
        self._marks.append(mark)

    def painted(self, length: int) -> _Stretches:
        """What holds where, of a contig of so many bases."""
        painted = np.zeros(length, np.uint16)
        for start, end, mark in zip(self._starts, self._ends, self._marks, strict=True):
            painted[start:end] = mark
        turns = np.flatnonzero(np.diff(painted)) + 1
        return _Stretches(np.append(turns, length), painted[np.append(0, turns)])


class _Numbers:
    """Numbers of the kinds and of the marks that are met; 0 is no mark."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._kinds = {UNMARKED: 0}
        self._marks = {(0, 1.0): 0}

    def of(self, genome: str, kind: str, weight: float) -> int:
        """The number of a mark."""
        told = f"{genome}.{kind}" if genome and kind else kind or genome or UNMARKED
        mark = self._kinds.setdefault(told, len(self._kinds)), weight
        number = self._marks.setdefault(mark, len(self._marks))
        if len(self._kinds) > _MOST_KINDS or number >= _MOST_MARKS:
            raise InputError(
                f"{self._source}: found more than {_MOST_KINDS - 1} kinds in column 4, or {_MOST_MARKS:,} of "
                "them and their weights; give alike bases one kind, and round the weights"
            )
        return number

    def tables(self) -> tuple[tuple[str, ...], npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Names of the kinds, the kind of each mark, its weight."""
        kinds, weights = zip(*self._marks, strict=True)
        return tuple(self._kinds), np.array(kinds, np.uint8), np.array(weights, np.float32)
