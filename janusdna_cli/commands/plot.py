"""`janusdna plot`."""

from typing import Annotated

import typer

from janusdna_cli.commands import options
from janusdna_cli.outputs.picture_formats import PictureFormat
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["plot"]


def plot(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUNDIR", help="Folders that janusdna pretrain wrote; several are overlaid."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            show_default="RUNDIR/curves.png and .svg",
            help="Where to draw, format by suffix; - is stdout. Several runs need it.",
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        PictureFormat | None,
        typer.Option("--format", show_default="by suffix", help="Draw this format, whatever the suffix."),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Draw the curves of a pretraining run, also while it goes on.

    Replaces pictures of these names that are there: it is made to be run again.

    Example: janusdna plot genome.janusdna-run
    """
    configure_logging(quiet=quiet)
    from janusdna_cli.training.curves import PlotSettings, plot_runs

    plot_runs(PlotSettings(runs=tuple(runs), output=output, format=format))
