"""`janusdna benchmark genomic-benchmarks|nucleotide-transformer|eqtl|variants`."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from janusdna.labels import Head
from janusdna_cli.commands import label_options, options
from janusdna_cli.finetuning.settings import Baselines
from janusdna_cli.runtime.progress import configure_logging
from janusdna_cli.suites.settings import BenchmarkSettings, SuiteName
from janusdna_cli.suites.variant_settings import VariantBenchmarkSettings

__all__ = ["app"]

_PROTOCOL = "Instead of the paper's"
_RUN = "What it runs on"

app = typer.Typer(no_args_is_help=True, help="The paper's tables, and how well scores of variants do.")

Data = Annotated[
    str, typer.Option("--data", metavar="DIR", help="The folder of the suite's published files.")
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="DIR", show_default="<suite>.janusdna-run", help="Trainings, and the table."
    ),
]
Tasks = Annotated[
    str | None,
    typer.Option("--tasks", metavar="A,B", show_default="all that are there", help="Those that are run."),
]
Seeds = Annotated[
    str | None, typer.Option("--seeds", metavar="A,B", rich_help_panel=_PROTOCOL, help="One training each.")
]
Rates = Annotated[
    str | None,
    typer.Option("--lr", metavar="A,B", rich_help_panel=_PROTOCOL, help="Learning rates that are tried."),
]
Batches = Annotated[
    str | None,
    typer.Option("--batch", metavar="A,B", rich_help_panel=_PROTOCOL, help="Sequences of a step, tried."),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", min=1, rich_help_panel=_PROTOCOL, help="Times each sequence is learned from."),
]
MaxTrain = Annotated[
    int | None,
    typer.Option(
        "--max-train",
        metavar="N",
        min=1,
        rich_help_panel=_PROTOCOL,
        help="Learn from N sequences of a task at most; the table says so.",
    ),
]
Train = Annotated[
    str,
    typer.Option("--train", metavar="all|head|last:N", rich_help_panel=_PROTOCOL, help="Of the network."),
]
HeadKind = Annotated[Head, typer.Option("--head", rich_help_panel=_PROTOCOL, help="What tells the labels.")]
BaselineChoice = Annotated[
    Baselines,
    typer.Option(
        "--baselines", help="Beside it: linear models of k-mers and embeddings; all: and from scratch."
    ),
]
FromScratch = Annotated[
    bool, typer.Option("--from-scratch", rich_help_panel=_PROTOCOL, help="Begin with untrained weights.")
]
Side = Annotated[
    str,
    typer.Option(
        "--workers",
        metavar="N|auto",
        parser=options.parse_workers,
        rich_help_panel=_RUN,
        help="Trainings side by side; auto is one a GPU, or one.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Start anew; without, what is done is not done again.")
]


# Of every suite.
_OF_SUITE: dict[str, Any] = {
    "output": Output,
    "tasks": Tasks,
    "model": options.Model,
    "baselines": BaselineChoice,
    "overwrite": Overwrite,
    "seeds": Seeds,
    "lr": Rates,
    "batch": Batches,
    "epochs": Epochs,
    "max_train": MaxTrain,
    "train": Train,
    "head": HeadKind,
    "pool": label_options.Pool,
    "pad_to": label_options.PadTo,
    "from_scratch": FromScratch,
    "workers": Side,
    "device": options.Device,
    "dtype": options.Dtype,
    "kernels": options.Kernels,
    "batch_bp": options.BatchBp,
    "threads": options.Threads,
    "quiet": options.Quiet,
}
_LISTS = dict.fromkeys(("tasks", "seeds", "lr", "batch"))


def _with_suite_options(command: Callable[..., None]) -> Callable[..., None]:
    defaults = {name: getattr(BenchmarkSettings, name) for name in _OF_SUITE} | _LISTS
    return options.with_options(command, _OF_SUITE, defaults)


@app.command("genomic-benchmarks")
@_with_suite_options
def genomic_benchmarks(
    data: Data, fasta: label_options.Fasta = BenchmarkSettings.fasta, **shared: Any
) -> None:
    """Eight tasks of classes; the best of six trainings by validation, five seeds, accuracy.

    Example: janusdna benchmark genomic-benchmarks --data genomic_benchmarks -f hg38.fa -o table
    """
    _run("genomic-benchmarks", shared | {"data": data, "fasta": fasta})


@app.command("nucleotide-transformer")
@_with_suite_options
def nucleotide_transformer(data: Data, **shared: Any) -> None:
    """Eighteen tasks of classes; the best of six trainings by validation, ten seeds, MCC, F1 or accuracy.

    Example: janusdna benchmark nucleotide-transformer --data downstream_tasks -o table
    """
    _run("nucleotide-transformer", shared | {"data": data})


@app.command("eqtl")
@_with_suite_options
def eqtl(
    data: Data,
    fasta: label_options.Fasta = BenchmarkSettings.fasta,
    reference_too: label_options.ReferenceToo = BenchmarkSettings.reference_too,
    **shared: Any,
) -> None:
    """DNALongBench's tissues: sequences of 450,000 bases, AUROC, beside it that of the distance alone.

    Example: janusdna benchmark eqtl --data eqtl -f hg38.fa -o table
    """
    _run("eqtl", shared | {"data": data, "fasta": fasta, "reference_too": reference_too})


@app.command("variants")
def variants(
    vcf: Annotated[str, typer.Argument(metavar="VCF", help="Variants with a label in INFO.")],
    label: Annotated[str, typer.Option("--label", metavar="INFO/NAME", help="The label.")],
    scores: Annotated[
        str | None,
        typer.Option(
            "--scores",
            metavar="PATH",
            show_default="the VCF itself",
            help="What score-variants made of it: Parquet, VCF or BCF.",
        ),
    ] = None,
    positive: Annotated[
        str | None, typer.Option("--positive", metavar="A,B", help="Values of the label that are positives.")
    ] = None,
    negative: Annotated[
        str | None, typer.Option("--negative", metavar="A,B", help="Values that are negatives.")
    ] = None,
    info: Annotated[
        str | None,
        typer.Option(
            "--info", metavar="INFO/A,INFO/B", help="Other scores in the VCF, higher for positives."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="INFO/A,INFO/B", help="Tell it for each value of these, too."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            show_default="<vcf stem>.janusdna-benchmark",
            help="Where the table and the picture go.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the resamples.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a table that is there.")] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """How well scores tell two classes of variants apart, with intervals and a picture.

    Example: janusdna benchmark variants clinvar.vcf.gz --label INFO/CLNSIG --positive Pathogenic
    --negative Benign --scores clinvar.janusdna.parquet
    """
    configure_logging(quiet=quiet, verbose=verbose)
    with options.told_as_usage():
        settings = VariantBenchmarkSettings(
            vcf=vcf,
            scores=scores,
            label=label,
            positive=_listed(positive),
            negative=_listed(negative),
            info=_listed(info),
            by=_listed(by),
            output=output,
            seed=seed,
            overwrite=overwrite,
            quiet=quiet,
        )
    from janusdna_cli.suites.variants import benchmark_variants

    benchmark_variants(settings)


def _run(suite: SuiteName, given: dict[str, Any]) -> None:
    with options.told_as_usage():
        seeds = given["seeds"]
        settings = BenchmarkSettings(
            suite=suite,
            **given
            | {
                "tasks": _listed(given["tasks"]),
                "seeds": () if seeds is None else label_options.parse_seeds(seeds),
                "lr": tuple(map(_number, _listed(given["lr"]))),
                "batch": tuple(int(_number(size)) for size in _listed(given["batch"])),
            },
        )
    from janusdna_cli.suites.benchmark import run_benchmark

    run_benchmark(settings)


def _listed(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"found {text!r}, expected numbers with commas between") from None
