"""What `embed` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna.layers import FUSED, LAYER_NAMES, is_layer
from janusdna_cli.checks import Rule, check, one_of, paths
from janusdna_cli.outputs.formats import EMBEDDINGS, Format
from janusdna_cli.regions.pooling import POOLS, Pool
from janusdna_cli.regions.precision import EMBEDDING_DTYPES, EmbeddingDtype
from janusdna_cli.runs.settings import RunSettings

__all__ = ["FORMATS", "EmbedSettings"]

# What the table can be written as.
FORMATS = EMBEDDINGS
_RULES = (
    Rule(("layer",), is_layer, LAYER_NAMES),
    one_of("embedding_dtype", choices=EMBEDDING_DTYPES),
    one_of("pool", choices=POOLS),
)


@dataclass(frozen=True, kw_only=True)
class EmbedSettings(RunSettings):
    """What `embed` does.

    Attributes:
        fasta: The genome, or a file of sequences.
        regions: BED, plain or gzipped; "-" for standard input; None for every record of the FASTA, whole.
        layer: Whose states become embeddings: "fused", "forward:K", "backward:K", or "K" for both streams'
            layer K side by side; see `janusdna.reader.Model.read`.
        embedding_dtype: What embeddings are written as: "float32" or "float16".
        pool: How a region's bases become one vector: their mean or maximum over A, C, G, T bases, the
            base in the middle, or none: a row for each base.
        strand_aware: Read `-` regions as reverse complement.
        keep_columns: Keep the BED's columns from the fourth on as `bed_4`, `bed_5`, ...

    Raises:
        InputError: If a value means nothing.
    """

    formats = (*FORMATS, Format.parquet_folder)

    fasta: str
    regions: str | None = None
    layer: str = FUSED.name
    embedding_dtype: EmbeddingDtype = "float32"
    pool: Pool = "mean"
    strand_aware: bool = False
    keep_columns: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "fasta", "regions")
        check(self, *_RULES)
