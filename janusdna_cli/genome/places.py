"""Stretches of a genome: named, as `chr17:43,044,295-43,044,494`, of a BED, or all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum

from janusdna import MIN_LENGTH
from janusdna_cli.errors import InputError
from janusdna_cli.genome.bed import Region, read_regions
from janusdna_cli.genome.fasta import Reference

__all__ = ["RegionStatus", "asked_regions", "named_region", "region_status"]

_RANGE = re.compile(r"(\d[\d,]*)-(\d[\d,]*)")
_EXPECTED = (
    "expected a contig's name, or one with its first and last base such as chr17:43,044,295-43,044,494"
)


class RegionStatus(StrEnum):
    """What became of a region, or of one of its bases."""

    ok = "ok"
    no_contig = "no_contig"
    out_of_contig = "out_of_contig"
    empty = "empty"
    non_acgt = "non_acgt"
    contig_too_short = "contig_too_short"


def region_status(region: Region, reference: Reference) -> RegionStatus:
    """Whether a region can be read; its bases are not looked at."""
    contig = reference.find(region.chrom)
    if contig is None:
        return RegionStatus.no_contig
    length = reference.lengths[contig]
    if region.end > length:
        return RegionStatus.out_of_contig
    if region.start == region.end:
        return RegionStatus.empty
    return RegionStatus.contig_too_short if length < MIN_LENGTH else RegionStatus.ok


def asked_regions(reference: Reference, named: Sequence[str], bed: str | None) -> Iterator[Region]:
    """The regions that were asked for: those named, then a BED's; where there are neither, whole contigs.

    Args:
        reference: The genome.
        named: As `named_region` takes them.
        bed: A path, or "-" for stdin; its regions may lie outside the genome.

    Raises:
        InputError: A named region is not in the genome, or the file cannot be read.
        RecordError: A line is no BED line.
    """
    yield from (named_region(text, reference) for text in named)
    if bed is not None:
        yield from read_regions(bed)
    elif not named:
        yield from (_whole(name, length) for name, length in reference.lengths.items())


def named_region(text: str, reference: Reference) -> Region:
    """A region by its name, with the contig's name as it was given.

    Args:
        text: `CONTIG`, or `CONTIG:FIRST-LAST` in 1-based positions that both belong to the region.
        reference: The genome.

    Raises:
        InputError: It is no such name, or lies outside the contig.
    """
    if (contig := reference.find(text)) is not None:
        return _whole(text, reference.lengths[contig])
    chrom, _, positions = text.rpartition(":")
    match = _RANGE.fullmatch(positions)
    contig = reference.find(chrom) if match else None
    if contig is None:
        name = chrom if match else text
        raise InputError(f"region {text!r}: {reference.path} has no contig {name!r}; {_EXPECTED}")
    assert match is not None
    first, last = (int(number.replace(",", "")) for number in match.groups())
    length = reference.lengths[contig]
    if not 1 <= first <= last <= length:
        raise InputError(f"region {text!r}: {contig} has the bases 1-{length:,}; {_EXPECTED}")
    return Region(chrom, first - 1, last, None, None, (), 0)


def _whole(chrom: str, length: int) -> Region:
    return Region(chrom, 0, length, None, None, (), 0)
