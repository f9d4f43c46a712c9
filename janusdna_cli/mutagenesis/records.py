"""Rows of made alleles as records of a VCF: one each, without anything but its place and bases."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from janusdna_cli.genome.fasta import Reference
from janusdna_cli.outputs.records import RECORD
from janusdna_cli.reading.stretches import OUTSIDE
from janusdna_cli.records.header import RecordHeader, contig_declarations
from janusdna_cli.runs.finishing import Outgoing
from janusdna_cli.variants.annotation import annotation_schema

__all__ = ["as_made_records", "made_header", "with_made_records"]

_TEXT = pa.large_string()
_TAB, _NONE, _END = (pa.scalar(text, _TEXT) for text in ("\t", ".", ".\n"))


def as_made_records(
    rows: Iterable[pa.Table],
    reference: Reference,
    scores: tuple[str, ...] | None,
    *,
    with_percentiles: bool,
) -> Outgoing:
    """A table of made alleles as VCF and BCF take it.

    Args:
        rows: All of it, in order.
        reference: The genome.
        scores: Those that were asked for; None for the default ones.
        with_percentiles: Whether there is a background to tell them by.
    """
    schema = annotation_schema(scores, with_percentiles=with_percentiles)
    return Outgoing(schema, map(with_made_records, rows), made_header(reference))


def made_header(reference: Reference) -> RecordHeader:
    """The header of a VCF of a genome's alleles."""
    contigs = contig_declarations(RecordHeader("", (), contigs=tuple(reference.lengths.items())))
    lines = [b"##fileformat=VCFv4.3", f"##reference={reference.path}".encode(), *contigs]
    columns = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    return RecordHeader(reference.path, tuple(line + b"\n" for line in (*lines, columns)))


def with_made_records(table: pa.Table) -> pa.Table:
    """A table with a column `record` more; without the rows of regions that have no bases."""
    rows = table.filter(pc.invert(pc.is_in(table["status"], OUTSIDE)))
    chrom, pos, ref, alt = (rows[name].cast(_TEXT) for name in ("chrom", "pos", "ref", "alt"))
    lines = pc.binary_join_element_wise(chrom, pos, _NONE, ref, alt, _NONE, _NONE, _END, _TAB)
    return rows.append_column(RECORD, lines.cast(pa.large_binary()))
