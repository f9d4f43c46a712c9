"""`janusdna score-variants`."""

from typing import Annotated, Literal

import typer

from janusdna_cli.commands import options
from janusdna_cli.errors import InputError
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["score_variants"]


def score_variants(
    vcf: Annotated[str, typer.Argument(metavar="VCF", help="VCF, VCF.gz or BCF; - is stdin.")],
    fasta: Annotated[
        str | None,
        typer.Option(
            "--fasta",
            "-f",
            metavar="FASTA",
            show_default="$JANUSDNA_FASTA, else the VCF's ##reference",
            help="The reference genome, plain or bgzipped.",
        ),
    ] = None,
    output: options.Output = None,
    format: options.FormatOption = None,  # noqa: A002 - the option's name
    scores: Annotated[
        str | None,
        typer.Option(
            "--scores",
            metavar="A,B",
            show_default="llr of substitutions, delta_pll of the others",
            help="Some of llr, delta_pll, embedding.",
        ),
    ] = None,
    span: Annotated[
        int,
        typer.Option(
            "--span", metavar="N", min=1, help="Bases on each side that delta_pll and embedding read."
        ),
    ] = 128,
    context: Annotated[
        Literal["centered", "tiled"],
        typer.Option(
            "--context",
            help="Each variant in the middle of its own window, or windows on a fixed grid of the contig, "
            "each read once for all variants in its middle half: less context on one side, far less time.",
        ),
    ] = "centered",
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first allele that is not ok.")
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
    """Score every ALT allele of a VCF: one row each, in the file's order.

    Writes INPUT.janusdna.parquet in the current folder unless -o names another place.

    Example: janusdna score-variants variants.vcf.gz --fasta hg38.fa --window 131072 -o scores.parquet
    """
    configure_logging(quiet=quiet, verbose=verbose)
    from janusdna_cli.variants.scoring import ScoreSettings
    from janusdna_cli.variants.scoring import score_variants as run

    try:
        settings = ScoreSettings(
            vcf=vcf,
            fasta=fasta,
            output=output,
            format=format,
            scores=None if scores is None else tuple(part.strip() for part in scores.split(",")),
            span=span,
            context=context,
            strict=strict,
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
    except InputError as error:
        raise typer.BadParameter(str(error)) from None
    run(settings)
