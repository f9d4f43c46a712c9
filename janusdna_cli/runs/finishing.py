"""A table whose rows are all there gets its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from janusdna_cli.outputs.tables import open_table
from janusdna_cli.runs.rows import NUMBER, NUMBER_FIELD
from janusdna_cli.runs.target import Target

__all__ = ["write_table"]


def write_table(
    target: Target,
    schema: pa.Schema,
    blocks: Iterable[pa.Table],
    metadata: Mapping[str, Any],
    *,
    overwrite: bool,
    folder: Path | None = None,
) -> None:
    """Write rows in their order; a part keeps their numbers.

    Args:
        target: Where to.
        schema: Of the table, without the rows' numbers.
        blocks: Its rows, with their numbers as first column.
        metadata: What it says of its origin.
        overwrite: Replace a file that exists.
        folder: Where it is written until it is complete; None for beside its place.

    Raises:
        InputError: If it cannot be written.
    """
    is_part = target.shard is not None
    columns = schema.insert(0, NUMBER_FIELD) if is_part else schema
    with open_table(
        target.path, columns, target.form, overwrite=overwrite, folder=folder, metadata=metadata
    ) as table:
        for block in blocks:
            table.write_table(block if is_part else block.drop_columns([NUMBER]))
