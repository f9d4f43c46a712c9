"""What `calibrate` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna_cli.backgrounds.background import UNEXPECTED
from janusdna_cli.checks import check, one_of, paths, whole
from janusdna_cli.errors import InputError
from janusdna_cli.genome.windows import CONTEXTS, Context
from janusdna_cli.runs.settings import RunSettings

__all__ = ["CalibrateSettings"]


@dataclass(frozen=True, kw_only=True)
class CalibrateSettings(RunSettings):
    """What `calibrate` does.

    Attributes:
        fasta: The genome.
        intervals: A BED: random places lie in it alone; None for all of the genome.
        alleles: How many random ones, at most.
        seed: Of the random places and alleles.
        scores: Those that percentiles are wanted of.
        span: As in `ScoreSettings`.
        context: As in `ScoreSettings`.

    Raises:
        InputError: If a value means nothing.
    """

    fasta: str
    intervals: str | None = None
    alleles: int = 200_000
    seed: int = 0
    scores: tuple[str, ...] = tuple(UNEXPECTED)
    span: int = 128
    context: Context = "centered"

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "fasta", "intervals")
        check(
            self,
            whole("alleles", low=1),
            whole("seed", low=0),
            whole("span", low=1, unit="bases"),
            one_of("context", choices=CONTEXTS),
        )
        if isinstance(self.scores, str) or not self.scores or set(self.scores) - set(UNEXPECTED):
            raise InputError(f"--scores: found {self.scores!r}, expected some of {', '.join(UNEXPECTED)}")
        object.__setattr__(self, "scores", tuple(self.scores))
        for name in ("shard", "format"):
            if getattr(self, name) is not None:
                raise InputError(f"--{name}: a background is made as one file of JSON, by one run")
        if self.output == "-":
            raise InputError("--output: found -, expected the name of a file")
