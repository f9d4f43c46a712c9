"""Random places of a genome: where a whole window lies around a base, in the intervals that are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from random import Random

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.bed import Region, read_regions
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.streams import input_name

__all__ = ["Places"]


class Places:
    """The bases at which a random allele may stand, each as likely.

    Args:
        reference: The genome.
        window: Bases that a base must have around itself, N or not.
        intervals: A BED; None for all of the genome.

    Attributes:
        total: How many there are.

    Raises:
        InputError: If there is none.
        RecordError: An interval lies outside the genome.
    """

    def __init__(self, reference: Reference, window: int, intervals: str | None) -> None:
        # A centered window begins with the contig, or ends with it, at the first and the last of them.
        room = {
            contig: (window // 2, length - window + window // 2 + 1)
            for contig, length in reference.lengths.items()
            if length >= window
        }
        if not room:
            longest = max(reference.lengths.values(), default=0)
            raise InputError(
                f"{reference.path}: the longest contig has {longest:,} bases, expected {window:,} or more, a "
                "window's: pass a smaller --window"
            )
        found = [(contig, *ends) for contig, ends in room.items()]
        if intervals is not None:
            found = [
                (contig, max(start, room[contig][0]), min(end, room[contig][1]))
                for contig, start, end in _joined(_checked(intervals, reference))
                if contig in room
            ]
        self._stretches = [each for each in found if each[1] < each[2]]
        self._ends = list(accumulate(end - start for _, start, end in self._stretches))
        if not self._ends:
            raise InputError(
                f"{intervals}: none of its intervals holds a base with a window of {window:,} around it: "
                "pass others, or a smaller --window"
            )
        self.total = self._ends[-1]

    def draw(self, rng: Random) -> tuple[str, int]:
        """A contig and a position, 0-based."""
        number = rng.randrange(self.total)
        contig, _, end = self._stretches[at := bisect_right(self._ends, number)]
        return contig, end - (self._ends[at] - number)


def _checked(intervals: str, reference: Reference) -> Iterator[tuple[str, int, int]]:
    for region in read_regions(intervals):
        contig = reference.find(region.chrom)
        if problem := _problem(region, contig, reference):
            raise RecordError(input_name(intervals), f"line {region.line}", problem)
        yield str(contig), region.start, region.end


def _problem(region: Region, contig: str | None, reference: Reference) -> str | None:
    if contig is None:
        hint = reference.hint(region.chrom) or "pass the FASTA that the intervals are of"
        return f"{region.chrom} is no contig of {reference.path}, {hint}"
    if region.end > reference.lengths[contig]:
        place = f"{region.chrom}:{region.start}-{region.end}"
        length = f"{reference.lengths[contig]:,}"
        return (
            f"{place} reaches outside the contig's {length} bases; pass the FASTA that the intervals are of"
        )
    return None


def _joined(intervals: Iterable[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
    """Without the bases that an earlier one has."""
    by_contig: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for contig, start, end in intervals:
        by_contig[contig].append((start, end))
    for contig, members in by_contig.items():
        reached = 0
        for start, end in sorted(members):
            yield contig, max(start, reached), end
            reached = max(reached, end)
