"""The table of `score-variants`: its columns, and rows as columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from janusdna_cli.outputs.schemas import described
from janusdna_cli.variants.plan import PlannedAllele
from janusdna_cli.variants.questions import Values
from janusdna_cli.variants.scores import COLUMNS

__all__ = ["VARIANT_SCHEMA", "ScoredRows", "columns_of"]

ScoredRows = list[tuple[PlannedAllele, Values]]

VARIANT_SCHEMA = pa.schema(
    [
        described("chrom", pa.string(), "CHROM, as in the VCF", nullable=False),
        described("pos", pa.int64(), "POS, as in the VCF, 1-based", nullable=False),
        described("id", pa.string(), "ID, as in the VCF"),
        described("ref", pa.string(), "REF, as in the VCF", nullable=False),
        described("alt", pa.string(), "one ALT, as in the VCF; . where it has none", nullable=False),
        described("status", pa.string(), "ok, or why there is no score", nullable=False),
        *(described(column.name, pa.float32(), column.meaning) for column in COLUMNS),
        described("window_start", pa.int64(), "start of the window read, 0-based"),
        described("window_end", pa.int64(), "end of the window read, exclusive"),
        described("n_frac", pa.float32(), "share of the window's bases that are not A, C, G, T"),
    ]
)


def columns_of(rows: ScoredRows) -> dict[str, list[Any]]:
    """Rows by column, as a table takes them."""
    planned = [row for row, _ in rows]
    columns: dict[str, list[Any]] = {
        "chrom": [row.variant.chrom for row in planned],
        "pos": [row.variant.pos for row in planned],
        "id": [row.variant.id for row in planned],
        "ref": [row.variant.ref for row in planned],
        "alt": [row.alt for row in planned],
        "status": [str(row.status) for row in planned],
        "window_start": [row.window.start if row.window else None for row in planned],
        "window_end": [row.window.end if row.window else None for row in planned],
    }
    computed = [name for name in VARIANT_SCHEMA.names if name not in columns]
    return columns | {name: [values.get(name) for _, values in rows] for name in computed}
