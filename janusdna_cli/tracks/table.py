"""The table of `track`: its columns."""

from typing import Any

import pyarrow as pa

from janusdna_cli.outputs.schemas import described

__all__ = ["track_schema"]

_MEANINGS = {
    "logp": "log p of the reference's base, natural logarithm",
    "entropy": "entropy over A, C, G, T, bits",
    "p_ref": "probability of the reference's base",
}


def track_schema(value: str) -> Any:
    """Columns of `janusdna track`.

    Args:
        value: Which of `VALUES` the bases have.
    """
    meaning = _MEANINGS.get(value, f"probability of {value[-1]}")
    return pa.schema(
        [
            described("chrom", pa.string(), "contig, as in the FASTA", nullable=False),
            described("pos", pa.int64(), "position of the base, 1-based", nullable=False),
            described("value", pa.float32(), meaning),
            described("status", pa.string(), "ok, or why there is no value", nullable=False),
        ]
    )
