"""`janusdna score-variants`."""

from typing import Annotated, Any

import typer

from janusdna_cli.commands import options
from janusdna_cli.genome.windows import Context
from janusdna_cli.outputs.formats import Format
from janusdna_cli.variants.settings import FORMATS, ScoreSettings

__all__ = ["score_variants"]


@options.with_run_options
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
    ] = ScoreSettings.fasta,
    output: options.Output = ScoreSettings.output,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, options.format_option(FORMATS)
    ] = ScoreSettings.format,
    scores: options.Scores = None,
    span: options.Span = ScoreSettings.span,
    context: Annotated[
        Context,
        typer.Option(
            "--context",
            help="Each variant in the middle of its own window, or windows on a fixed grid of the contig, "
            "each read once for all variants in its middle half: less context on one side, far less time.",
        ),
    ] = ScoreSettings.context,
    background: options.Background = ScoreSettings.background,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first allele that is not ok.")
    ] = ScoreSettings.strict,
    **shared: Any,
) -> None:
    """Score every ALT allele of a VCF: one row each, in the file's order.

    Writes INPUT.janusdna.parquet in the current folder unless -o names another place. A run that was cut off
    goes on with --resume.

    Example: janusdna score-variants variants.vcf.gz --fasta hg38.fa --window 131072 -o scores.parquet
    """
    with options.told_as_usage():
        settings = ScoreSettings(
            vcf=vcf,
            fasta=fasta,
            output=output,
            format=format,
            scores=options.names(scores),
            span=span,
            context=context,
            background=background,
            strict=strict,
            **shared,
        )
    from janusdna_cli.variants.scoring import score_variants as run

    run(settings)
