"""What `mutagenesis` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from janusdna_cli.checks import Rule, check, one_of, paths, texts, whole
from janusdna_cli.genome.windows import CONTEXTS, Context
from janusdna_cli.outputs.formats import VARIANTS, Format
from janusdna_cli.outputs.picture_formats import PICTURE_FORMATS
from janusdna_cli.runs.settings import RunSettings
from janusdna_cli.variants.settings import checked_scores

__all__ = ["FORMATS", "MutagenesisSettings"]

# What the table can be written as.
FORMATS = VARIANTS
_RULES = (
    whole("span", low=1, unit="bases"),
    one_of("context", choices=CONTEXTS),
    Rule(
        ("plot",), lambda path: Path(path).suffix.lower()[1:] in PICTURE_FORMATS, "a name in .png, .svg, .pdf"
    ),
)


@dataclass(frozen=True, kw_only=True)
class MutagenesisSettings(RunSettings):
    """What `mutagenesis` does.

    Attributes:
        fasta: The genome.
        region: Names of regions, as `named_region` takes them.
        regions: BED, plain or gzipped; "-" for standard input. Without either: all of the genome.
        deletions: Delete each base, too.
        scores: Names of the `SCORES` to compute; None for llr of substitutions and delta_pll of deletions.
        span: Bases on each side of an allele that delta_pll, the embedding distances and influence read.
        context: "tiled": windows on a fixed grid, each read once for all bases in its middle half;
            "centered": each base in the middle of its own window.
        background: What percentiles are told by, as `ScoreSettings` has it.
        plot: A picture of the map, PNG, SVG or PDF by its suffix; of one region only.

    Raises:
        InputError: If a value means nothing.
    """

    formats = (*FORMATS, Format.parquet_folder)

    fasta: str
    region: tuple[str, ...] = ()
    regions: str | None = None
    deletions: bool = False
    scores: tuple[str, ...] | None = None
    span: int = 128
    context: Context = "tiled"
    background: str = "auto"
    plot: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "fasta", "regions", "background", "plot")
        texts(self, "region")
        check(self, *_RULES)
        object.__setattr__(self, "scores", checked_scores(self.scores))
