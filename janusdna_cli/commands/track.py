"""`janusdna track`."""

from typing import Annotated, Any

import typer

from janusdna_cli.commands import options
from janusdna_cli.outputs.formats import Format
from janusdna_cli.tracks.settings import FORMATS, TrackSettings
from janusdna_cli.tracks.values import Value

__all__ = ["track"]


@options.with_run_options
def track(
    fasta: Annotated[str, typer.Argument(metavar="FASTA", help="The genome, plain or bgzipped.")],
    region: options.RegionNames = None,
    regions: options.RegionsFile = TrackSettings.regions,
    value: Annotated[
        Value,
        typer.Option(
            "--value",
            help="log p or probability of the reference's base, entropy in bits, or probability of a letter.",
        ),
    ] = TrackSettings.value,
    output: options.Output = TrackSettings.output,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, options.format_option(FORMATS)
    ] = TrackSettings.format,
    **shared: Any,
) -> None:
    """Tell a value of every base of regions, or of a genome: a track for a genome browser, or a table.

    Each base is read in its window of a fixed grid, so its value does not depend on the region. Overlapping
    regions are one. Writes FASTA.janusdna.parquet in the current folder unless -o names another place: .bw,
    .bedgraph, .bedgraph.gz, .parquet, .tsv, .tsv.gz, or FOLDER/ for one Parquet file a contig.

    Example: janusdna track genome.fa -r chr17:43,000,000-43,100,000 -o brca1.bw
    """
    with options.told_as_usage():
        settings = TrackSettings(
            fasta=fasta,
            region=tuple(region or ()),
            regions=regions,
            value=value,
            output=output,
            format=format,
            **shared,
        )
    from janusdna_cli.tracks.tracking import make_track

    make_track(settings)
