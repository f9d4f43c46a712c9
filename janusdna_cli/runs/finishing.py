"""A table whose rows are all there gets its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa

from janusdna_cli.outputs.tables import open_table
from janusdna_cli.records.header import RecordHeader
from janusdna_cli.runs.rows import NUMBER, NUMBER_FIELD
from janusdna_cli.runs.target import Target

__all__ = ["Outgoing", "write_table"]


class Outgoing(NamedTuple):
    """A table on its way out.

    Attributes:
        schema: Of the table, without the rows' numbers.
        rows: In their order, with their numbers as first column.
        records: For VCF and BCF, the header of the file that the column `record` comes from.
        contigs: For bigWig, the genome's, with their lengths.
    """

    schema: pa.Schema
    rows: Iterable[pa.Table]
    records: RecordHeader | None = None
    contigs: Mapping[str, int] = MappingProxyType({})


def write_table(
    target: Target,
    table: Outgoing,
    metadata: Mapping[str, Any],
    *,
    overwrite: bool,
    place: Path | None = None,
) -> None:
    """Write rows in their order; a part keeps their numbers.

    Args:
        target: Where to.
        table: All of it.
        metadata: What it says of its origin.
        overwrite: Replace a file that exists.
        place: The folder in which it lies until it is complete; None for beside its own.

    Raises:
        InputError: If it cannot be written.
    """
    is_part = target.shard is not None
    schema = table.schema.insert(0, NUMBER_FIELD) if is_part else table.schema
    with open_table(
        target.path,
        schema,
        target.form,
        overwrite=overwrite,
        place=place,
        metadata=metadata,
        records=table.records,
        contigs=table.contigs,
    ) as writer:
        for rows in table.rows:
            writer.write_table(rows if is_part else rows.drop_columns([NUMBER]))
