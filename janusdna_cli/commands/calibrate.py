"""`janusdna calibrate`."""

from functools import partial
from typing import Annotated, Any

import typer

from janusdna_cli.calibration.settings import CalibrateSettings
from janusdna_cli.commands import options
from janusdna_cli.genome.windows import Context

__all__ = ["calibrate"]


@partial(options.with_run_options, but=("shard",))
def calibrate(
    fasta: Annotated[str, typer.Argument(metavar="FASTA", help="The genome, plain or bgzipped.")],
    intervals: Annotated[
        str | None,
        typer.Option(
            "--intervals", metavar="BED", show_default="all of the genome", help="Random places lie in these."
        ),
    ] = CalibrateSettings.intervals,
    alleles: Annotated[
        int, typer.Option("-n", "--alleles", metavar="N", help="How many random alleles, at most.")
    ] = CalibrateSettings.alleles,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Another seed draws other alleles.")
    ] = CalibrateSettings.seed,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            show_default="beside the model, or in the cache",
            help="Where to write the background; score-variants finds it only where it is by default.",
        ),
    ] = CalibrateSettings.output,
    scores: Annotated[
        str, typer.Option("--scores", metavar="A,B", help="What percentiles are wanted of.")
    ] = ",".join(CalibrateSettings.scores),
    span: Annotated[
        int, typer.Option("--span", metavar="N", min=1, help="As of score-variants.")
    ] = CalibrateSettings.span,
    context: Annotated[
        Context, typer.Option("--context", help="As of score-variants.")
    ] = CalibrateSettings.context,
    **shared: Any,
) -> None:
    """Make a background for the percentiles of a model's scores: random alleles of a genome, scored.

    For each class of alleles the quantiles of each score are kept. score-variants finds them by itself where
    model, window, context, span and strands are the same.

    Example: janusdna calibrate hg38.fa --context tiled
    """
    with options.told_as_usage():
        settings = CalibrateSettings(
            fasta=fasta,
            intervals=intervals,
            alleles=alleles,
            seed=seed,
            output=output,
            scores=tuple(part.strip() for part in scores.split(",")),
            span=span,
            context=context,
            **shared,
        )
    from janusdna_cli.calibration.calibrating import calibrate as run

    run(settings)
