"""BED regions with labels, and the bases of a genome there."""

from __future__ import annotations

from collections.abc import Iterator

from janusdna_cli.errors import RecordError
from janusdna_cli.genome.bed import Region, read_regions
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.labelled.item import Item
from janusdna_cli.labelled.strands import reverse_complement

__all__ = ["read_intervals"]


def read_intervals(path: str, genome: Reference, *, label: str | None) -> Iterator[Item]:
    """The regions of a BED in its order; those of the minus strand are reverse-complemented.

    Args:
        path: The BED.
        genome: Whose they are.
        label: "label" or "name" for the fourth column, or a column's number, 4 and up; None for no labels.

    Raises:
        InputError: A file cannot be read.
        RecordError: A line is none of a BED, or has no such column.
    """
    column = None if label is None else _column(label, path)
    for region in read_regions(path):
        yield _item(region, genome, path, column)


def _column(label: str, path: str) -> int:
    if label in ("label", "name"):
        return 4
    if label.isdigit() and int(label) >= 4:
        return int(label)
    raise RecordError(
        path, "its columns", f"--label {label}: expected name, or the number of a column, 4 or more"
    )


def _item(region: Region, genome: Reference, path: str, column: int | None) -> Item:
    place = f"line {region.line}"
    label = None
    if column is not None:
        if len(region.extra) < column - 3:
            raise RecordError(
                path, place, f"found {len(region.extra) + 3} columns, expected a label in column {column}"
            )
        label = region.extra[column - 4]
    keys = {"chrom": region.chrom, "start": region.start, "end": region.end, "name": region.name}
    contig, bases, status = genome.find(region.chrom), "", "ok"
    if contig is None:
        status = "no_contig"
    elif region.end > genome.lengths[contig]:
        status = "out_of_contig"
    elif region.start == region.end:
        status = "empty"
    else:
        bases = genome.fetch(contig, region.start, region.end).decode("ascii")
        bases = reverse_complement(bases) if region.strand == "-" else bases
    return Item(place, keys, bases, label=label, contig=region.chrom, status=status)
