"""`janusdna finetune`."""

from typing import Annotated

import typer

from janusdna.labels import Head
from janusdna_cli.commands import label_options, options
from janusdna_cli.finetuning.settings import Baselines, FinetuneSettings
from janusdna_cli.runtime.progress import configure_logging
from janusdna_cli.training.settings import Recompute

__all__ = ["finetune"]

_SPLIT = "What is learned from, and what is tested"
_NETWORK = "What is trained"
_RECIPE = "How it learns"
_WATCH = "What is kept and watched"
_RUN = "What it runs on"


def finetune(
    input: Annotated[  # noqa: A002 - as the settings call it
        str,
        typer.Argument(
            metavar="INPUT",
            help="Sequences with labels: TSV, CSV or Parquet; FASTA (>name|label); with -f a BED, a VCF, or "
            "coordinates of GenomicBenchmarks, whose folders are taken, too.",
        ),
    ],
    fasta: label_options.Fasta = FinetuneSettings.fasta,
    output: label_options.RunFolder = FinetuneSettings.output,
    label: label_options.Label = FinetuneSettings.label,
    task: label_options.Task = FinetuneSettings.task,
    model: options.Model = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where the run in RUNDIR stands; start where there is none."),
    ] = FinetuneSettings.resume,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew in a folder that holds a run.")
    ] = FinetuneSettings.overwrite,
    test: label_options.Test = FinetuneSettings.test,
    valid_share: label_options.ValidShare = FinetuneSettings.valid_share,
    split: label_options.Split = FinetuneSettings.split,
    split_by: label_options.SplitBy = FinetuneSettings.split_by,
    folds: label_options.Folds = FinetuneSettings.folds,
    where: label_options.Where = FinetuneSettings.where,
    max_train: label_options.MaxTrain = FinetuneSettings.max_train,
    strict: label_options.Strict = FinetuneSettings.strict,
    baselines: Annotated[
        Baselines,
        typer.Option(
            "--baselines",
            rich_help_panel=_SPLIT,
            help="In the report beside it: linear models of k-mers and of frozen embeddings; all: and the "
            "training from scratch.",
        ),
    ] = FinetuneSettings.baselines,
    train: Annotated[
        str,
        typer.Option(
            "--train",
            metavar="all|head|last:N",
            rich_help_panel=_NETWORK,
            help="Of the network; last:N is its last N layers, the fusion and the head.",
        ),
    ] = FinetuneSettings.train,
    head: Annotated[
        Head, typer.Option("--head", rich_help_panel=_NETWORK, help="What tells labels of a pooled sequence.")
    ] = FinetuneSettings.head,
    pool: label_options.Pool = FinetuneSettings.pool,
    rc: label_options.Strands = FinetuneSettings.rc,
    window: label_options.VariantWindow = FinetuneSettings.window,
    pad_to: label_options.PadTo = FinetuneSettings.pad_to,
    reference_too: label_options.ReferenceToo = FinetuneSettings.reference_too,
    from_scratch: Annotated[
        bool,
        typer.Option("--from-scratch", rich_help_panel=_NETWORK, help="Begin with untrained weights."),
    ] = FinetuneSettings.from_scratch,
    epochs: Annotated[
        int,
        typer.Option("--epochs", min=1, rich_help_panel=_RECIPE, help="Times each sequence is learned from."),
    ] = FinetuneSettings.epochs,
    lr: Annotated[
        float, typer.Option("--lr", rich_help_panel=_RECIPE, help="Learning rate at the top.")
    ] = FinetuneSettings.lr,
    batch: Annotated[
        int, typer.Option("--batch", min=1, rich_help_panel=_RECIPE, help="Sequences of a step.")
    ] = FinetuneSettings.batch,
    weight_decay: Annotated[
        float,
        typer.Option(
            "--weight-decay", min=0.0, rich_help_panel=_RECIPE, help="Not of norms, biases, A_log and D."
        ),
    ] = FinetuneSettings.weight_decay,
    clip: Annotated[
        float, typer.Option("--clip", rich_help_panel=_RECIPE, help="Longest gradient.")
    ] = FinetuneSettings.clip,
    warmup: Annotated[
        float, typer.Option("--warmup", rich_help_panel=_RECIPE, help="Share of the steps that rise to --lr.")
    ] = FinetuneSettings.warmup,
    aux: Annotated[
        float | None,
        typer.Option(
            "--aux",
            min=0.0,
            show_default="the model's",
            rich_help_panel=_RECIPE,
            help="Weight of the load-balancing loss.",
        ),
    ] = FinetuneSettings.aux,
    class_weights: Annotated[
        bool,
        typer.Option(
            "--class-weights", rich_help_panel=_RECIPE, help="Let rare classes count as much as others."
        ),
    ] = FinetuneSettings.class_weights,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            show_default="AUROC, accuracy or Pearson's r",
            rich_help_panel=_RECIPE,
            help="What the best epoch is chosen by: accuracy, mcc, f1, auroc, auprc, pearson, spearman, r2.",
        ),
    ] = FinetuneSettings.metric,
    last_epoch: Annotated[
        bool,
        typer.Option(
            "--last-epoch", rich_help_panel=_RECIPE, help="Take the last epoch's model, not the best."
        ),
    ] = FinetuneSettings.last_epoch,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience",
            metavar="N",
            min=1,
            rich_help_panel=_RECIPE,
            help="End after N epochs without a better one.",
        ),
    ] = FinetuneSettings.patience,
    seeds: label_options.Seeds = "1",
    checkpoint_every: Annotated[
        int,
        typer.Option("--checkpoint-every", min=1, rich_help_panel=_WATCH, help="Steps between checkpoints."),
    ] = FinetuneSettings.checkpoint_every,
    keep: Annotated[
        int, typer.Option("--keep", min=1, rich_help_panel=_WATCH, help="Checkpoints kept.")
    ] = FinetuneSettings.keep,
    device: options.Device = FinetuneSettings.device,
    dtype: options.Dtype = FinetuneSettings.dtype,
    kernels: options.Kernels = FinetuneSettings.kernels,
    recompute: Annotated[
        Recompute,
        typer.Option(
            "--recompute",
            rich_help_panel=_RUN,
            help="Gradient checkpointing, for long sequences; auto where the memory would not do without.",
        ),
    ] = FinetuneSettings.recompute,
    batch_bp: options.BatchBp = FinetuneSettings.batch_bp,
    threads: options.Threads = FinetuneSettings.threads,
    quiet: options.Quiet = FinetuneSettings.quiet,
    verbose: options.Verbose = False,
) -> None:
    """Teach a model labels: classes, several labels, or numbers.

    Writes to RUNDIR: model/, which predict takes, predictions.parquet of the sequences that were not learned
    from, and report.md: how good they are, with intervals, beside baselines.

    Example: janusdna finetune labels.tsv -o run
    """
    given = {name: value for name, value in locals().items() if name != "verbose"}
    configure_logging(quiet=quiet, verbose=verbose)
    with options.told_as_usage():
        settings = FinetuneSettings(**given | {"seeds": label_options.parse_seeds(seeds)})
    from janusdna_cli.finetuning.finetuning import finetune as run

    run(settings)
