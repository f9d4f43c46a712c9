"""The table of `embed`: its columns."""

from typing import Any

import pyarrow as pa

from janusdna.layers import FUSED
from janusdna_cli.outputs.schemas import described
from janusdna_cli.regions.precision import EmbeddingDtype

__all__ = ["FIRST_BED_COLUMN", "embedding_schema"]

# Of those that are kept as `bed_4`, `bed_5`, ...
FIRST_BED_COLUMN = 4

_VALUES = {"float32": pa.float32(), "float16": pa.float16()}


def embedding_schema(
    dimension: int,
    *,
    dtype: EmbeddingDtype = "float32",
    layer: str = FUSED.name,
    per_base: bool = False,
    extra_columns: int = 0,
) -> Any:
    """Columns of `janusdna embed`.

    Args:
        dimension: d, the length of an embedding.
        dtype: Of its values.
        layer: Whose states it is made of.
        per_base: One row a base, with its 1-based position on the contig in `pos`.
        extra_columns: How many BED columns, from the fourth on, are kept as strings `bed_4`, `bed_5`, ...
    """
    # As Parquet names it: what is read back is of the same type.
    element = pa.field("element", _VALUES[dtype])
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
        described("embedding", pa.list_(element, dimension), _meaning(layer)),
    ]
    if per_base:
        fields.insert(5, described("pos", pa.int64(), "position of the base on the contig, 1-based"))
    return pa.schema(fields)


def _meaning(layer: str) -> str:
    if layer == FUSED.name:
        return "hidden state after the last norm and MLP"
    return f"residual stream after layer {layer}"
