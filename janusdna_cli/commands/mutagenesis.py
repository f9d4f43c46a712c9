"""`janusdna mutagenesis`."""

from typing import Annotated, Any

import typer

from janusdna_cli.commands import options
from janusdna_cli.genome.windows import Context
from janusdna_cli.mutagenesis.settings import FORMATS, MutagenesisSettings
from janusdna_cli.outputs.formats import Format

__all__ = ["mutagenesis"]


@options.with_run_options
def mutagenesis(
    fasta: Annotated[str, typer.Argument(metavar="FASTA", help="The genome, plain or bgzipped.")],
    region: options.RegionNames = None,
    regions: options.RegionsFile = MutagenesisSettings.regions,
    output: options.Output = MutagenesisSettings.output,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, options.format_option(FORMATS)
    ] = MutagenesisSettings.format,
    deletions: Annotated[
        bool, typer.Option("--deletions", help="Delete each base, too.")
    ] = MutagenesisSettings.deletions,
    scores: options.Scores = None,
    span: options.Span = MutagenesisSettings.span,
    context: Annotated[
        Context,
        typer.Option(
            "--context",
            help="Windows on a fixed grid of the contig, each read once for all bases in its middle half, or "
            "each base in the middle of its own: more context on one side, far more time.",
        ),
    ] = MutagenesisSettings.context,
    background: options.Background = MutagenesisSettings.background,
    plot: Annotated[
        str | None,
        typer.Option("--plot", metavar="PATH", help="Draw the map of one region, too: .png, .svg or .pdf."),
    ] = MutagenesisSettings.plot,
    **shared: Any,
) -> None:
    """Score every substitution of every base of regions, or of a genome: one row each.

    Writes FASTA.janusdna.parquet in the current folder unless -o names another place: .parquet, .tsv,
    .tsv.gz, .vcf, .vcf.gz, .bcf, or FOLDER/ for one Parquet file a contig.

    Example: janusdna mutagenesis genome.fa -r chr17:43,044,295-43,044,494 -o map.parquet
    """
    with options.told_as_usage():
        settings = MutagenesisSettings(
            fasta=fasta,
            region=tuple(region or ()),
            regions=regions,
            output=output,
            format=format,
            deletions=deletions,
            scores=options.names(scores),
            span=span,
            context=context,
            background=background,
            plot=plot,
            **shared,
        )
    from janusdna_cli.mutagenesis.scoring import score_every_allele

    score_every_allele(settings)
