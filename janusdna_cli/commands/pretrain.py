"""`janusdna pretrain`."""

from pathlib import Path
from typing import Annotated

import typer

from janusdna.recipe import Objective, Optimizer
from janusdna_cli.commands import options
from janusdna_cli.runtime.progress import configure_logging
from janusdna_cli.training.settings import PretrainSettings, Recompute

__all__ = ["pretrain"]

_DATA = "What it learns from"
_RECIPE = "How it learns"
_WATCH = "What is kept and watched"
_RUN = "What it runs on"


def pretrain(
    fasta: Annotated[
        list[str],
        typer.Option(
            "--fasta",
            "-f",
            metavar="[NAME=]FASTA",
            help="The genome: plain, bgzip or gzip; several, each by an option of its own.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="RUNDIR",
            show_default="<fasta stem>.janusdna-run",
            help="The run's folder.",
        ),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            metavar="NAME|JSON",
            help="Sizes: `janusdna models list`, or a JSON file of the fields.",
        ),
    ] = PretrainSettings.preset,
    init: Annotated[
        str | None,
        typer.Option("--init", metavar="MODEL", help="Start from these weights, on this genome; as --model."),
    ] = PretrainSettings.init,
    objective: Annotated[
        Objective,
        typer.Option(
            "--objective",
            help="Predict each base from all others, masked ones from the rest, or each from those before.",
        ),
    ] = PretrainSettings.objective,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where the run in RUNDIR stands; start where there is none."),
    ] = PretrainSettings.resume,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew in a folder that holds a run.")
    ] = PretrainSettings.overwrite,
    intervals: Annotated[
        str | None,
        typer.Option(
            "--intervals",
            metavar="BED",
            rich_help_panel=_DATA,
            help="Where windows may lie; the fourth column is train, valid or test, the fifth how often.",
        ),
    ] = PretrainSettings.intervals,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="BED",
            rich_help_panel=_DATA,
            help="What bases count in the loss, in the fifth column; their kind, in the fourth.",
        ),
    ] = PretrainSettings.weights,
    valid_contigs: Annotated[str | None, options.valid_contigs_option(_DATA)] = None,
    valid_share: Annotated[float, options.valid_share_option(_DATA)] = PretrainSettings.valid_share,
    length: Annotated[
        int | None,
        typer.Option(
            "--length",
            metavar="N",
            parser=options.parse_window,
            show_default="the preset's",
            rich_help_panel=_DATA,
            help="Bases of a window, 3 to 1,048,576; 128k is 131,072.",
        ),
    ] = PretrainSettings.length,
    max_n: Annotated[
        float,
        typer.Option(
            "--max-n", rich_help_panel=_DATA, help="Leave out windows with a larger share of N and the like."
        ),
    ] = PretrainSettings.max_n,
    rc: Annotated[
        bool, typer.Option("--rc/--no-rc", rich_help_panel=_DATA, help="Read half of the windows reversed.")
    ] = PretrainSettings.rc,
    shift: Annotated[
        bool,
        typer.Option(
            "--shift/--no-shift",
            rich_help_panel=_DATA,
            help="Begin windows anywhere within their place in the grid, anew at each pass.",
        ),
    ] = PretrainSettings.shift,
    soft_mask_weight: Annotated[
        float,
        typer.Option(
            "--soft-mask-weight",
            min=0.0,
            rich_help_panel=_DATA,
            help="What a lower-case base counts in the loss.",
        ),
    ] = PretrainSettings.soft_mask_weight,
    tokens_per_step: Annotated[
        int,
        typer.Option(
            "--tokens-per-step",
            metavar="N",
            parser=options.parse_bases,
            rich_help_panel=_RECIPE,
            help="Bases of a step, on all machines together; 1M is 1,048,576.",
        ),
    ] = PretrainSettings.tokens_per_step,
    max_steps: Annotated[
        int | None,
        typer.Option(
            "--max-steps",
            min=1,
            show_default="10,000; 50,000 for 128k windows",
            rich_help_panel=_RECIPE,
            help="Steps in all.",
        ),
    ] = PretrainSettings.max_steps,
    optimizer: Annotated[
        Optimizer,
        typer.Option(
            "--optimizer",
            rich_help_panel=_RECIPE,
            help="adamw is the paper's; muon moves the matrices its own way, and learns from fewer bases.",
        ),
    ] = PretrainSettings.optimizer,
    lr: Annotated[
        float, typer.Option("--lr", rich_help_panel=_RECIPE, help="Learning rate at the top.")
    ] = PretrainSettings.lr,
    warmup: Annotated[
        float, typer.Option("--warmup", rich_help_panel=_RECIPE, help="Share of the steps that rise to it.")
    ] = PretrainSettings.warmup,
    warmup_lr: Annotated[
        float, typer.Option("--warmup-lr", min=0.0, rich_help_panel=_RECIPE, help="Where it starts.")
    ] = PretrainSettings.warmup_lr,
    min_lr: Annotated[
        float, typer.Option("--min-lr", min=0.0, rich_help_panel=_RECIPE, help="Where it ends.")
    ] = PretrainSettings.min_lr,
    beta1: Annotated[
        float, typer.Option("--beta1", rich_help_panel=_RECIPE, help="Of AdamW.")
    ] = PretrainSettings.beta1,
    beta2: Annotated[
        float, typer.Option("--beta2", rich_help_panel=_RECIPE, help="Of AdamW.")
    ] = PretrainSettings.beta2,
    eps: Annotated[
        float, typer.Option("--eps", rich_help_panel=_RECIPE, help="Of AdamW.")
    ] = PretrainSettings.eps,
    momentum: Annotated[
        float, typer.Option("--momentum", rich_help_panel=_RECIPE, help="Of Muon.")
    ] = PretrainSettings.momentum,
    weight_decay: Annotated[
        float,
        typer.Option(
            "--weight-decay", min=0.0, rich_help_panel=_RECIPE, help="Not of norms, biases, A_log and D."
        ),
    ] = PretrainSettings.weight_decay,
    clip: Annotated[
        float, typer.Option("--clip", rich_help_panel=_RECIPE, help="Longest gradient.")
    ] = PretrainSettings.clip,
    aux: Annotated[
        float,
        typer.Option("--aux", min=0.0, rich_help_panel=_RECIPE, help="Weight of the load-balancing loss."),
    ] = PretrainSettings.aux,
    mask_share: Annotated[
        float,
        typer.Option("--mask-share", rich_help_panel=_RECIPE, help="Of the bases, those that mlm predicts."),
    ] = PretrainSettings.mask_share,
    seed: Annotated[
        int, typer.Option("--seed", min=0, rich_help_panel=_RECIPE, help="Of all chance.")
    ] = PretrainSettings.seed,
    valid_every: Annotated[
        int,
        typer.Option(
            "--valid-every", min=0, rich_help_panel=_WATCH, help="Steps between validations; 0 for none."
        ),
    ] = PretrainSettings.valid_every,
    valid_windows: Annotated[
        int | None,
        typer.Option(
            "--valid-windows",
            min=1,
            show_default="524,288 bases",
            rich_help_panel=_WATCH,
            help="Held-out windows read at each, from both strands.",
        ),
    ] = PretrainSettings.valid_windows,
    checkpoint_every: Annotated[
        int,
        typer.Option("--checkpoint-every", min=1, rich_help_panel=_WATCH, help="Steps between checkpoints."),
    ] = PretrainSettings.checkpoint_every,
    keep: Annotated[
        int, typer.Option("--keep", min=1, rich_help_panel=_WATCH, help="Checkpoints kept.")
    ] = PretrainSettings.keep,
    device: options.Device = PretrainSettings.device,
    dtype: options.Dtype = PretrainSettings.dtype,
    kernels: options.Kernels = PretrainSettings.kernels,
    recompute: Annotated[
        Recompute,
        typer.Option(
            "--recompute",
            rich_help_panel=_RUN,
            help="Gradient checkpointing, for long windows; auto where the memory would not do without.",
        ),
    ] = PretrainSettings.recompute,
    batch_bp: options.BatchBp = PretrainSettings.batch_bp,
    threads: options.Threads = PretrainSettings.threads,
    workers: Annotated[
        int, typer.Option("--workers", min=1, rich_help_panel=_RUN, help="Threads that read windows.")
    ] = PretrainSettings.workers,
    quiet: options.Quiet = PretrainSettings.quiet,
    verbose: options.Verbose = False,
) -> None:
    """Train a model on a genome: on a CPU, a GPU, or under torchrun on many.

    Writes checkpoints, metrics and the best model so far to RUNDIR; --model RUNDIR/model reads with it.

    Example: janusdna pretrain --fasta hg38.fa --intervals splits.bed --preset janusdna-32 -o run
    """
    given = {name: value for name, value in locals().items() if name != "verbose"}
    configure_logging(quiet=quiet, verbose=verbose)
    from janusdna_cli.training.pretraining import pretrain as run

    given |= {
        "valid_contigs": options.names(valid_contigs) or (),
        "output": None if output is None else str(output),
    }
    with options.told_as_usage():
        settings = PretrainSettings(**given)
    run(settings)
