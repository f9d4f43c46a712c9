"""The columns of every table: names, types, order, meaning.

`start end` are 0-based half-open, `pos` is 1-based, here as everywhere.
"""

from typing import Any

import pyarrow as pa

__all__ = ["SCHEMA_VERSION", "VARIANT_SCHEMA", "embedding_schema"]

SCHEMA_VERSION = 1


def _field(name: str, kind: Any, meaning: str, *, nullable: bool = True) -> Any:
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


def embedding_schema(dimension: int, *, per_base: bool = False, extra_columns: int = 0) -> Any:
    """Columns of `janusdna embed`.

    Args:
        dimension: d, the length of an embedding.
        per_base: One row a base, with its 1-based position on the contig in `pos`.
        extra_columns: How many BED columns, from the fourth on, are kept as strings `bed_4`, `bed_5`, ...
    """
    fields = [
        _field("chrom", pa.string(), "contig, as in the BED", nullable=False),
        _field("start", pa.int64(), "start of the region, 0-based", nullable=False),
        _field("end", pa.int64(), "end of the region, exclusive", nullable=False),
        _field("name", pa.string(), "name, as in the BED"),
        _field("strand", pa.string(), "strand, as in the BED"),
        _field("n_bases", pa.int64(), "bases A, C, G, T read", nullable=False),
        _field("status", pa.string(), "ok, or why there is no embedding", nullable=False),
        *(_field(f"bed_{i}", pa.string(), f"BED column {i}") for i in range(4, 4 + extra_columns)),
        _field("embedding", pa.list_(pa.float32(), dimension), "hidden state after the last norm"),
    ]
    if per_base:
        fields.insert(5, _field("pos", pa.int64(), "position of the base on the contig, 1-based"))
    return pa.schema(fields)


VARIANT_SCHEMA = pa.schema(
    [
        _field("chrom", pa.string(), "CHROM, as in the VCF", nullable=False),
        _field("pos", pa.int64(), "POS, as in the VCF, 1-based", nullable=False),
        _field("id", pa.string(), "ID, as in the VCF"),
        _field("ref", pa.string(), "REF, as in the VCF", nullable=False),
        _field("alt", pa.string(), "one ALT, as in the VCF; . where it has none", nullable=False),
        _field("status", pa.string(), "ok, or why there is no score", nullable=False),
        _field("llr", pa.float32(), "log p(ALT) - log p(REF) at the site, natural logarithm"),
        _field("delta_pll", pa.float32(), "pseudo-log-likelihood of the ALT haplotype less that of REF"),
        _field("emb_l2", pa.float32(), "Euclidean distance of the REF and ALT embeddings"),
        _field("emb_cosine", pa.float32(), "cosine distance of the REF and ALT embeddings"),
        _field("ref_logp", pa.float32(), "log p(REF) at the site, natural logarithm"),
        _field("alt_logp", pa.float32(), "log p(ALT) at the site, natural logarithm"),
        _field("entropy", pa.float32(), "entropy over A, C, G, T at the site, bits"),
        _field("window_start", pa.int64(), "start of the window read, 0-based"),
        _field("window_end", pa.int64(), "end of the window read, exclusive"),
        _field("n_frac", pa.float32(), "share of the window's bases that are not A, C, G, T"),
    ]
)
