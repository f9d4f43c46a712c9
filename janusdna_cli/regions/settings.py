"""What `embed` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna_cli.checks import check, enumerated, one_of, paths
from janusdna_cli.outputs.formats import TABLES, Format
from janusdna_cli.reading.settings import ModelSettings
from janusdna_cli.regions.pooling import POOLS, Pool

__all__ = ["FORMATS", "EmbedSettings"]

# What the table can be written as.
FORMATS = TABLES


@dataclass(frozen=True, kw_only=True)
class EmbedSettings(ModelSettings):
    """What `embed` does.

    Attributes:
        fasta: The genome, or a file of sequences.
        regions: BED, plain or gzipped; "-" for standard input; None for every record of the FASTA, whole.
        output: Where to; None for `<regions' or FASTA's stem>.janusdna.parquet` here.
        format: None tells it from the output's suffix.
        pool: How a region's bases become one vector: their mean or maximum over A, C, G, T bases, the
            base in the middle, or none: a row for each base.
        strand_aware: Read `-` regions as reverse complement.
        keep_columns: Keep the BED's columns from the fourth on as `bed_4`, `bed_5`, ...
        overwrite: Replace an output that exists.

    Raises:
        InputError: If a value means nothing.
    """

    fasta: str
    regions: str | None = None
    output: str | None = None
    format: Format | None = None
    pool: Pool = "mean"
    strand_aware: bool = False
    keep_columns: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "fasta", "regions", "output")
        enumerated(self, "format", FORMATS)
        check(self, one_of("pool", choices=POOLS))
