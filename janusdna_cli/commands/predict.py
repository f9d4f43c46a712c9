"""`janusdna predict`."""

from functools import partial
from typing import Annotated, Any

import typer

from janusdna_cli.commands import options
from janusdna_cli.finetuning.predicting_settings import PredictSettings
from janusdna_cli.outputs.formats import TABLES, Format

__all__ = ["predict"]


@partial(options.with_run_options, but=("window", "both_strands", "kv_dtype"))
def predict(
    input: Annotated[  # noqa: A002 - as the settings call it
        str,
        typer.Argument(
            metavar="INPUT",
            help="Sequences: TSV, CSV or Parquet with a column sequence; FASTA; a BED or a VCF with -f; "
            "- is a table from stdin.",
        ),
    ],
    fasta: Annotated[
        str | None,
        typer.Option("--fasta", "-f", metavar="FASTA", help="The genome of a BED, a VCF, or coordinates."),
    ] = PredictSettings.fasta,
    output: options.Output = PredictSettings.output,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, options.format_option(TABLES)
    ] = PredictSettings.format,
    **shared: Any,
) -> None:
    """Tell the labels of sequences with a model that finetune has taught: one row each, in the input's order.

    Writes INPUT.janusdna.parquet in the current folder unless -o names another place: .parquet, .tsv,
    .tsv.gz.

    Example: janusdna predict sequences.fa -m run/model -o pred.parquet
    """
    with options.told_as_usage():
        settings = PredictSettings(input=input, fasta=fasta, output=output, format=format, **shared)
    from janusdna_cli.finetuning.predicting import predict as run

    run(settings)
