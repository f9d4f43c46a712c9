"""`janusdna embed`."""

from typing import Annotated, Literal

import typer

from janusdna_cli.commands import options
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["embed"]


def embed(
    fasta: Annotated[str, typer.Argument(metavar="FASTA", help="The genome, plain or bgzipped.")],
    regions: Annotated[
        str | None,
        typer.Argument(
            metavar="[REGIONS]",
            help="BED3 to BED12; - is stdin. Without it every FASTA record is read whole.",
        ),
    ] = None,
    output: options.Output = None,
    format: options.FormatOption = None,  # noqa: A002 - the option's name
    pool: Annotated[
        Literal["mean", "max", "center", "none"],
        typer.Option("--pool", help="Over the region's own bases; none writes one row a base."),
    ] = "mean",
    strand_aware: Annotated[
        bool, typer.Option("--strand-aware", help="Read - regions as reverse complement.")
    ] = False,
    keep_columns: Annotated[
        bool, typer.Option("--keep-columns", help="Keep the BED's columns from the 4th on as bed_4, ...")
    ] = False,
    model: options.Model = None,
    window: options.Window = None,
    rc: options.Rc = True,
    overwrite: options.Overwrite = False,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    kv_dtype: options.KvDtype = "auto",
    kernels: options.Kernels = "auto",
    batch_bp: options.BatchBp = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Embed every region of a BED: one row each, in the file's order.

    Writes REGIONS.janusdna.parquet in the current folder unless -o names another place.

    Example: janusdna embed genome.fa regions.bed -o emb.parquet
    """
    configure_logging(quiet=quiet, verbose=verbose)
    from janusdna_cli.regions.embedding import EmbedSettings, embed_regions

    embed_regions(
        EmbedSettings(
            fasta=fasta,
            regions=regions,
            output=output,
            format=format,
            pool=pool,
            strand_aware=strand_aware,
            keep_columns=keep_columns,
            overwrite=overwrite,
            model=model,
            window=window,
            both_strands=rc,
            device=device,
            dtype=dtype,
            kv_dtype=kv_dtype,
            kernels=kernels,
            batch_bp=batch_bp,
            threads=threads,
            quiet=quiet,
        )
    )
