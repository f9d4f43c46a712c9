"""Rows of variants beside the records that they come from, as VCF and BCF outputs take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa

from janusdna_cli.errors import InputError
from janusdna_cli.genome.vcf import Variant, VariantReader
from janusdna_cli.outputs.info_values import INFO
from janusdna_cli.outputs.records import RECORD
from janusdna_cli.reading.survey import unannounced
from janusdna_cli.runs.finishing import Outgoing
from janusdna_cli.variants.scores import DEFAULT_SCORES, PERCENTILE, SCORES
from janusdna_cli.variants.table import VARIANT_SCHEMA

__all__ = ["annotation_schema", "as_records", "with_records"]

_STATUS = "JANUS_STATUS"
_RECORD_BYTES = 16 << 20  # of a table that is given
_SITE = ("chrom", "pos", "ref", "alt")


def annotation_schema(scores: tuple[str, ...] | None, *, with_percentiles: bool = False) -> Any:
    """`VARIANT_SCHEMA` and the column of records; what becomes INFO has its field's name in its metadata.

    Args:
        scores: Those that were asked for; None for the default ones.
        with_percentiles: Whether there is a background to tell them by.
    """
    asked = DEFAULT_SCORES if scores is None else scores
    columns = [column for name in SCORES if name in asked for column in SCORES[name].columns]
    columns += [PERCENTILE] if with_percentiles else []
    named = {"status": _STATUS} | {column.name: column.info for column in columns if column.info}
    schema = VARIANT_SCHEMA
    for column, info in named.items():
        at = schema.get_field_index(column)
        field = schema.field(at)
        schema = schema.set(at, field.with_metadata({**field.metadata, INFO: info}))
    return schema.append(pa.field(RECORD, pa.large_binary()))


@contextmanager
def as_records(
    source: str,
    scores: tuple[str, ...] | None,
    rows: Iterable[pa.Table],
    contigs: Iterable[tuple[str, int | None]] = (),
    *,
    with_percentiles: bool = False,
) -> Iterator[Outgoing]:
    """A table of variants as VCF and BCF take it: the input is read once more, beside its rows.

    Args:
        source: The input.
        scores: Those that were asked for; None for the default ones.
        rows: All of the table, in the order of the input.
        contigs: Names and lengths, for a BCF that is made of text whose header does not declare them.
        with_percentiles: Whether there is a background to tell them by.

    Raises:
        InputError: The input has other records than the rows came from.
    """
    with unannounced(), VariantReader.open(source, keep_records=True) as records:
        header = replace(records.header, contigs=tuple(contigs))
        schema = annotation_schema(scores, with_percentiles=with_percentiles)
        yield Outgoing(schema, with_records(rows, records), header)


class _Row(NamedTuple):
    variant: Variant
    alt: str
    record: bytes | None


def with_records(tables: Iterable[Any], records: VariantReader) -> Iterator[Any]:
    """Tables with a column `record` more: the bytes of a row's record in its first row, null in its others.

    Args:
        tables: Rows of `VARIANT_SCHEMA`, in the order of the input.
        records: The input, from its first record on, opened with its records kept.

    Yields:
        The same rows, in tables of bounded bytes.

    Raises:
        InputError: The input has other records than the rows came from.
    """
    rows = _rows(records)
    for table in tables:
        yield from _joined(table, rows, records.name)
    if next(rows, None) is not None:
        raise _changed(records.name, "has more records than were scored")


def _rows(records: VariantReader) -> Iterator[_Row]:
    for variant in records:
        first, *others = variant.alts or (".",)
        yield _Row(variant, first, variant.record)
        yield from (_Row(variant, alt, None) for alt in others)


def _joined(table: Any, rows: Iterator[_Row], name: str) -> Iterator[Any]:
    """One table with its records, in pieces."""
    begin, taken, size = 0, list[bytes | None](), 0
    sites = zip(*(table[column].to_pylist() for column in _SITE), strict=True)
    for number, site in enumerate(sites, start=1):
        taken.append(_record_of(site, next(rows, None), name))
        size += len(taken[-1] or b"")
        if size >= _RECORD_BYTES or number == table.num_rows:
            column = pa.array(taken, pa.large_binary())
            yield table.slice(begin, len(taken)).append_column(RECORD, column)
            begin, taken, size = number, [], 0


def _record_of(site: tuple[Any, ...], row: _Row | None, name: str) -> bytes | None:
    if row is None:
        raise _changed(name, "has fewer records than were scored")
    variant, alt, record = row
    if site != (variant.chrom, variant.pos, variant.ref, alt):
        found = f"has {variant.chrom}:{variant.pos} {variant.ref}>{alt}"
        chrom, pos, ref, scored = site
        raise _changed(name, f"{found} where {chrom}:{pos} {ref}>{scored} was scored")
    return record


def _changed(name: str, found: str) -> InputError:
    return InputError(f"{name}: {found}; it was changed while it was scored: score it again")
