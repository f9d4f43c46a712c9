"""`janusdna embed`."""

from typing import Annotated, Any

import typer

from janusdna_cli.commands import options
from janusdna_cli.outputs.formats import Format
from janusdna_cli.regions.pooling import Pool
from janusdna_cli.regions.precision import EmbeddingDtype
from janusdna_cli.regions.settings import FORMATS, EmbedSettings

__all__ = ["embed"]


@options.with_run_options
def embed(
    fasta: Annotated[str, typer.Argument(metavar="FASTA", help="The genome, plain or bgzipped.")],
    regions: Annotated[
        str | None,
        typer.Argument(
            metavar="[REGIONS]",
            help="BED3 to BED12; - is stdin. Without it every FASTA record is read whole.",
        ),
    ] = EmbedSettings.regions,
    output: options.Output = EmbedSettings.output,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, options.format_option(FORMATS)
    ] = EmbedSettings.format,
    layer: Annotated[
        str,
        typer.Option(
            "--layer",
            metavar="fused|forward:K|backward:K|K",
            help="What the head reads, or a stream's layer K from 0; K alone is both side by side.",
        ),
    ] = EmbedSettings.layer,
    embedding_dtype: Annotated[
        EmbeddingDtype, typer.Option("--embedding-dtype", help="What embeddings are written as.")
    ] = EmbedSettings.embedding_dtype,
    pool: Annotated[
        Pool, typer.Option("--pool", help="Over the region's own bases; none writes one row a base.")
    ] = EmbedSettings.pool,
    strand_aware: Annotated[
        bool, typer.Option("--strand-aware", help="Read - regions as reverse complement.")
    ] = EmbedSettings.strand_aware,
    keep_columns: Annotated[
        bool, typer.Option("--keep-columns", help="Keep the BED's columns from the 4th on as bed_4, ...")
    ] = EmbedSettings.keep_columns,
    **shared: Any,
) -> None:
    """Embed every region of a BED: one row each, in the file's order.

    Writes REGIONS.janusdna.parquet in the current folder unless -o names another place: .parquet, .tsv,
    .tsv.gz, .npz, .h5ad, or FOLDER/ for one Parquet file a contig.

    Example: janusdna embed genome.fa regions.bed -o emb.parquet
    """
    with options.told_as_usage():
        settings = EmbedSettings(
            fasta=fasta,
            regions=regions,
            output=output,
            format=format,
            layer=layer,
            embedding_dtype=embedding_dtype,
            pool=pool,
            strand_aware=strand_aware,
            keep_columns=keep_columns,
            **shared,
        )
    from janusdna_cli.regions.embedding import embed_regions

    embed_regions(settings)
