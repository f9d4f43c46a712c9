"""`janusdna dependencies`."""

from functools import partial
from typing import Annotated, Any

import typer

from janusdna_cli.commands import options
from janusdna_cli.dependencies.settings import LONGEST_REGION, DependenciesSettings
from janusdna_cli.outputs.formats import TABLES, Format

__all__ = ["dependencies"]


@partial(options.with_run_options, but=("resume", "shard", "workers"))
def dependencies(
    fasta: Annotated[str, typer.Argument(metavar="FASTA", help="The genome, plain or bgzipped.")],
    region: Annotated[
        str,
        typer.Option(
            "--region",
            "-r",
            metavar="CONTIG:FIRST-LAST",
            help=f"By its first and last base, 1-based; up to {LONGEST_REGION:,} bases.",
        ),
    ],
    output: options.Output = DependenciesSettings.output,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, options.format_option(TABLES)
    ] = DependenciesSettings.format,
    matrix: Annotated[
        str | None,
        typer.Option("--matrix", metavar="FILE.npy|npz", help="Write the map as an array, base i by base j."),
    ] = DependenciesSettings.matrix,
    plot: Annotated[
        str | None,
        typer.Option("--plot", metavar="FILE.png|svg|pdf", help="Draw the map as a square heat map."),
    ] = DependenciesSettings.plot,
    **shared: Any,
) -> None:
    """Map which bases of a region the model predicts from which others.

    Each base is substituted by each other one, and the largest change of the log2 odds of a base is told at
    every position of the region, in bits. Writes FASTA.janusdna.parquet in the current folder unless -o,
    --matrix or --plot name other places.

    Example: janusdna dependencies hg38.fa -r chr17:43,044,295-43,044,494 -o map.parquet --plot map.png
    """
    with options.told_as_usage():
        settings = DependenciesSettings(
            fasta=fasta, region=region, output=output, format=format, matrix=matrix, plot=plot, **shared
        )
    from janusdna_cli.dependencies.mapping import map_dependencies

    map_dependencies(settings)
