"""The table of `embed`: its columns."""

from typing import Any

import pyarrow as pa

from janusdna_cli.outputs.schemas import described

__all__ = ["FIRST_BED_COLUMN", "embedding_schema"]

# Of those that are kept as `bed_4`, `bed_5`, ...
FIRST_BED_COLUMN = 4


def embedding_schema(dimension: int, *, per_base: bool = False, extra_columns: int = 0) -> Any:
    """Columns of `janusdna embed`.

    Args:
        dimension: d, the length of an embedding.
        per_base: One row a base, with its 1-based position on the contig in `pos`.
        extra_columns: How many BED columns, from the fourth on, are kept as strings `bed_4`, `bed_5`, ...
    """
    element = pa.field("element", pa.float32())  # as Parquet names it: what is read back is of the same type
    kept = range(FIRST_BED_COLUMN, FIRST_BED_COLUMN + extra_columns)
    fields = [
        described("chrom", pa.string(), "contig, as in the BED", nullable=False),
        described("start", pa.int64(), "start of the region, 0-based", nullable=False),
        described("end", pa.int64(), "end of the region, exclusive", nullable=False),
        described("name", pa.string(), "name, as in the BED"),
        described("strand", pa.string(), "strand, as in the BED"),
        described("n_bases", pa.int64(), "bases A, C, G, T read", nullable=False),
        described("status", pa.string(), "ok, or why there is no embedding", nullable=False),
        *(described(f"bed_{i}", pa.string(), f"BED column {i}") for i in kept),
        described("embedding", pa.list_(element, dimension), "hidden state after the last norm"),
    ]
    if per_base:
        fields.insert(5, described("pos", pa.int64(), "position of the base on the contig, 1-based"))
    return pa.schema(fields)
