"""A table of scores in, a picture of their distributions out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.genome.streams import input_name
from janusdna_cli.outputs.destinations import STDOUT, check_destination
from janusdna_cli.outputs.picture_formats import PictureFormat, picture_format
from janusdna_cli.outputs.pictures import write_picture
from janusdna_cli.variants.distributions import PERCENTILES, SCORE_COLUMNS, Distributions
from janusdna_cli.variants.distributions_page import draw_distributions
from janusdna_cli.variants.score_tables import read_scores

__all__ = ["PlotScoresSettings", "plot_scores"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PlotScoresSettings:
    """What is drawn of a table of scores.

    Attributes:
        table: As `score-variants` wrote it, Parquet or TSV; "-" for a TSV on standard input.
        output: Where to, "-" for standard output; None for `<table's stem>.png` here.
        format: "png", "svg" or "pdf"; None tells it from the output's suffix.
    """

    table: str
    output: str | None = None
    format: PictureFormat | None = None


def plot_scores(settings: PlotScoresSettings) -> str:
    """Draw how the scores of a table are distributed; a picture that is there is replaced.

    Returns:
        Where the picture is.

    Raises:
        InputError: The table cannot be read, holds no scores, or the picture cannot be written.
    """
    output = settings.output or f"{_stem(settings.table)}.{settings.format or 'png'}"
    form = picture_format(output, settings.format)
    check_destination(output, overwrite=True)
    name = input_name(settings.table)
    found = Distributions.of(read_scores(settings.table, (*SCORE_COLUMNS, *PERCENTILES)))
    if not found.rows:
        raise InputError(f"{name}: holds no rows, expected an allele or more")
    write_picture(draw_distributions(found, Path(name).name), output, form)
    told = "standard output" if output == STDOUT else output
    logger.info("%s alleles drawn -> %s", f"{found.rows:,}", told)
    return output


def _stem(table: str) -> str:
    """A table's name without its folder and the suffixes of its format."""
    name = "stdin" if table == STDOUT else Path(table).name
    for suffix in (".gz", ".parquet", ".tsv"):
        name = name.removesuffix(suffix)
    return name
