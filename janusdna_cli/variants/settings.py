"""What `score-variants` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna_cli.checks import check, one_of, paths, whole
from janusdna_cli.errors import InputError
from janusdna_cli.genome.windows import CONTEXTS, Context
from janusdna_cli.outputs.formats import VARIANTS
from janusdna_cli.runs.settings import RunSettings
from janusdna_cli.variants.scores import SCORES

__all__ = ["FORMATS", "ScoreSettings", "checked_scores"]

# What the table can be written as.
FORMATS = VARIANTS


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(RunSettings):
    """What `score-variants` does.

    Attributes:
        vcf: VCF, VCF.gz or BCF; "-" for standard input.
        fasta: The reference; None for $JANUSDNA_FASTA, else the VCF header's ##reference.
        scores: Names of the `SCORES` to compute where they are defined; None for llr of substitutions
            and delta_pll of the others.
        span: Bases on each side of an allele that delta_pll and the embedding distances read.
        context: "centered": each variant in the middle of its own window; "tiled": windows on a fixed grid,
            each read once for all variants in its middle half.
        strict: Make the first allele that cannot be scored an error.
        background: What percentiles are told by: "auto" for the one that was made of this model, window,
            context, span and strands, if there is one; "none"; or a file of `calibrate`.

    Raises:
        InputError: If a value means nothing.
    """

    formats = FORMATS

    vcf: str
    fasta: str | None = None
    scores: tuple[str, ...] | None = None
    span: int = 128
    context: Context = "centered"
    strict: bool = False
    background: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "vcf", "fasta", "background")
        check(self, whole("span", low=1, unit="bases"), one_of("context", choices=CONTEXTS))
        object.__setattr__(self, "scores", checked_scores(self.scores))


def checked_scores(scores: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Names of scores as a tuple; None for the default ones.

    Raises:
        InputError: If there is none of such a name.
    """
    if scores is None:
        return None
    known = ", ".join(SCORES)
    if isinstance(scores, str) or not scores:
        raise InputError(f"--scores: found {scores!r}, expected a tuple of some of {known}")
    for score in scores:
        if score not in SCORES:
            raise InputError(f"--scores: no score is called {score!r}: expected some of {known}")
    return tuple(scores)
