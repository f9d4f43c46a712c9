"""`janusdna plot`."""

from pathlib import Path
from typing import Annotated

import typer

from janusdna_cli.commands import options
from janusdna_cli.outputs.picture_formats import PictureFormat
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["plot"]


def plot(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUNDIR|TABLE",
            help="Folders that janusdna pretrain wrote, several are overlaid; or a table of scores that "
            "janusdna score-variants wrote, Parquet or TSV.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            show_default="RUNDIR/curves.png and .svg; of a table its name with .png, here",
            help="Where to draw, format by suffix: .png, .svg, .pdf; - is stdout. Several runs need it.",
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        PictureFormat | None,
        typer.Option("--format", show_default="by suffix", help="Draw this format, whatever the suffix."),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Draw the curves of a pretraining run, also while it goes on, or how scores are distributed.

    Replaces pictures of these names that are there: it is made to be run again.

    Example: janusdna plot genome.janusdna-run
    """
    configure_logging(quiet=quiet)
    if len(inputs) == 1 and (inputs[0] == "-" or Path(inputs[0]).is_file()):
        from janusdna_cli.variants.plotting import PlotScoresSettings, plot_scores

        plot_scores(PlotScoresSettings(table=inputs[0], output=output, format=format))
        return
    from janusdna_cli.training.curves import PlotSettings, plot_runs

    plot_runs(PlotSettings(runs=tuple(inputs), output=output, format=format))
