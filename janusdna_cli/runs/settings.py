"""How a run goes: where its table is written, what of the work is done. No PyTorch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from janusdna_cli.checks import Rule, check, enumerated, paths
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.formats import TABLES, Format
from janusdna_cli.reading.settings import ModelSettings
from janusdna_cli.runs.shards import Shard, parse_shard

__all__ = ["RunSettings"]

_WORKERS = Rule(
    ("workers",),
    lambda value: value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value > 0),
    "a whole number, 1 or more, or auto",
)


@dataclass(frozen=True, kw_only=True)
class RunSettings(ModelSettings):
    """How a run goes, whatever its rows are.

    Attributes:
        formats: What the table can be written as.
        output: Where to; None for `<input's stem>.janusdna.parquet` here; "-" for standard output.
            Of a shard the folder of the parts.
        format: One of `formats`; None tells it from the output's suffix.
        overwrite: Replace an output that exists, and forget an unfinished run.
        resume: Go on with an unfinished run; without one, start.
        shard: One of equal parts of the work, such as "2/3".
        workers: Processes that share the work on a CPU; "auto" for one a processor as far as memory allows.

    Raises:
        InputError: If a value means nothing.
    """

    formats: ClassVar[Sequence[Format]] = TABLES

    output: str | None = None
    format: Format | None = None
    overwrite: bool = False
    resume: bool = False
    shard: Shard | str | None = None
    workers: int | Literal["auto"] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "output")
        enumerated(self, "format", [form for form in self.formats if form is not Format.parquet_folder])
        if not isinstance(self.shard, Shard | None):
            object.__setattr__(self, "shard", parse_shard(self.shard))
        check(self, _WORKERS)
        if self.overwrite and self.resume:
            raise InputError("--overwrite starts anew and --resume goes on: pass one of them")
