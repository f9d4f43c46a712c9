"""How a run goes: where its table is written, what of the work is done. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna_cli.checks import enumerated, paths
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.formats import Format
from janusdna_cli.reading.settings import ModelSettings
from janusdna_cli.runs.shards import Shard, parse_shard

__all__ = ["RunSettings"]


@dataclass(frozen=True, kw_only=True)
class RunSettings(ModelSettings):
    """How a run goes, whatever its rows are.

    Attributes:
        output: Where to; None for `<input's stem>.janusdna.parquet` here; "-" for standard output.
            Of a shard the folder of the parts.
        format: None tells it from the output's suffix.
        overwrite: Replace an output that exists, and forget an unfinished run.
        resume: Go on with an unfinished run; without one, start.
        shard: One of equal parts of the work, such as "2/3".

    Raises:
        InputError: If a value means nothing.
    """

    output: str | None = None
    format: Format | None = None
    overwrite: bool = False
    resume: bool = False
    shard: Shard | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "output")
        enumerated(self, "format", Format)
        if not isinstance(self.shard, Shard | None):
            object.__setattr__(self, "shard", parse_shard(self.shard))
        if self.overwrite and self.resume:
            raise InputError("--overwrite starts anew and --resume goes on: pass one of them")
