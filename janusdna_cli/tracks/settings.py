"""What `track` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna_cli.checks import check, one_of, paths, texts
from janusdna_cli.outputs.formats import TRACKS, Format
from janusdna_cli.runs.settings import RunSettings
from janusdna_cli.tracks.values import VALUES, Value

__all__ = ["FORMATS", "TrackSettings"]

# What the track can be written as.
FORMATS = TRACKS


@dataclass(frozen=True, kw_only=True)
class TrackSettings(RunSettings):
    """What `track` does.

    Attributes:
        fasta: The genome.
        region: Names of regions, as `named_region` takes them.
        regions: BED, plain or gzipped; "-" for standard input. Without either: all of the genome.
        value: Which of `VALUES` each base has.

    Raises:
        InputError: If a value means nothing.
    """

    formats = (*FORMATS, Format.parquet_folder)

    fasta: str
    region: tuple[str, ...] = ()
    regions: str | None = None
    value: Value = "logp"

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "fasta", "regions")
        texts(self, "region")
        check(self, one_of("value", choices=tuple(VALUES)))
