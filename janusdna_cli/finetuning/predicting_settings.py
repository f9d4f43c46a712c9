"""What `predict` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna_cli.checks import paths
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.formats import TABLES, Format
from janusdna_cli.runs.settings import RunSettings

__all__ = ["PredictSettings"]


@dataclass(frozen=True, kw_only=True)
class PredictSettings(RunSettings):
    """What `predict` does; a model's own task says which strands and which window it reads.

    Attributes:
        input: Sequences, as `FinetuneSettings` takes, labelled or not.
        fasta: The genome of a BED, a VCF or a folder of coordinates.

    Raises:
        InputError: If a value means nothing.
    """

    formats = (*TABLES, Format.parquet_folder)

    input: str
    fasta: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "input", "fasta")
        if self.model is None:
            raise InputError("--model: name the folder of a fine-tuned model, RUNDIR/model")
