"""What `dependencies` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from janusdna_cli.checks import enumerated, paths
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.formats import TABLES, Format
from janusdna_cli.reading.settings import ModelSettings

__all__ = ["LONGEST_REGION", "SHORTEST_REGION", "DependenciesSettings"]

# Bases of a region: its table has three rows for each two of them.
SHORTEST_REGION, LONGEST_REGION = 2, 1_000


@dataclass(frozen=True, kw_only=True)
class DependenciesSettings(ModelSettings):
    """What `dependencies` does.

    Attributes:
        fasta: The genome, plain or bgzipped.
        region: `CONTIG:FIRST-LAST` in 1-based positions that both belong to it, or a contig's name.
        output: Where the table goes; None for none where there is a matrix or a picture, else for
            `<fasta's stem>.janusdna.parquet` here; "-" for standard output.
        format: Of the table; None tells it from the output's suffix.
        matrix: Where the map goes as an array, `.npy` or `.npz`.
        plot: Where the picture goes, `.png`, `.svg` or `.pdf`.
        overwrite: Replace what exists.

    Raises:
        InputError: If a value means nothing.
    """

    formats: ClassVar = TABLES

    fasta: str
    region: str
    output: str | None = None
    format: Format | None = None
    matrix: str | None = None
    plot: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "fasta", "output", "matrix", "plot")
        enumerated(self, "format", self.formats)
        named = [path for path in (self.output, self.matrix, self.plot) if path is not None]
        if len(set(named)) < len(named):
            raise InputError(f"found {', '.join(named)}: each output needs a name of its own")
