"""`janusdna probe`."""

from typing import Annotated

import typer

from janusdna_cli.commands import label_options, options
from janusdna_cli.finetuning.probe_settings import ProbeSettings
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["probe"]


def probe(
    input: Annotated[  # noqa: A002 - as the settings call it
        str,
        typer.Argument(
            metavar="INPUT",
            help="Sequences with labels, as finetune takes, or embeddings that embed wrote as Parquet.",
        ),
    ],
    fasta: label_options.Fasta = ProbeSettings.fasta,
    output: label_options.RunFolder = ProbeSettings.output,
    label: label_options.Label = ProbeSettings.label,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="TABLE",
            help="Of embeddings: labels by name or id, or by chrom, start and end.",
        ),
    ] = ProbeSettings.labels,
    task: label_options.Task = ProbeSettings.task,
    model: options.Model = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew in a folder that holds a run.")
    ] = ProbeSettings.overwrite,
    test: label_options.Test = ProbeSettings.test,
    valid_share: label_options.ValidShare = ProbeSettings.valid_share,
    split: label_options.Split = ProbeSettings.split,
    split_by: label_options.SplitBy = ProbeSettings.split_by,
    folds: label_options.Folds = ProbeSettings.folds,
    where: label_options.Where = ProbeSettings.where,
    max_train: label_options.MaxTrain = ProbeSettings.max_train,
    strict: label_options.Strict = ProbeSettings.strict,
    seeds: label_options.Seeds = "1",
    pool: label_options.Pool = ProbeSettings.pool,
    rc: label_options.Strands = ProbeSettings.rc,
    window: label_options.VariantWindow = ProbeSettings.window,
    pad_to: label_options.PadTo = ProbeSettings.pad_to,
    reference_too: label_options.ReferenceToo = ProbeSettings.reference_too,
    device: options.Device = ProbeSettings.device,
    dtype: options.Dtype = ProbeSettings.dtype,
    kernels: options.Kernels = ProbeSettings.kernels,
    batch_bp: options.BatchBp = ProbeSettings.batch_bp,
    threads: options.Threads = ProbeSettings.threads,
    quiet: options.Quiet = ProbeSettings.quiet,
    verbose: options.Verbose = False,
) -> None:
    """Fit a linear model to embeddings, which are not trained: what the model knows of the labels as it is.

    Logistic or ridge regression by scikit-learn, its strength chosen by cross-validation; beside it the same
    of k-mers. Writes to RUNDIR report.md and predictions.parquet, as finetune does.

    Example: janusdna probe labels.tsv -o probe
    """
    given = {name: value for name, value in locals().items() if name != "verbose"}
    configure_logging(quiet=quiet, verbose=verbose)
    with options.told_as_usage():
        settings = ProbeSettings(**given | {"seeds": label_options.parse_seeds(seeds)})
    from janusdna_cli.finetuning.probing import probe as run

    run(settings)
