"""`janusdna models list | pull | convert | info | verify`."""

from pathlib import Path
from typing import Annotated

import typer

from janusdna_cli.commands import options
from janusdna_cli.reading.settings import Dtype
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["app"]

app = typer.Typer(
    help="Models: the known ones, fetching, converting and verifying weights, what a file holds."
)


@app.command("list")
def list_models() -> None:
    """List the published sizes, by what they are verified, and whether, and where, their weights are here.

    Example: janusdna models list
    """
    from janusdna_cli.model_store.inventory import describe_known

    typer.echo(describe_known())


@app.command()
def pull(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A published model, as `models list` names it.")
    ] = None,
    list_files: Annotated[
        bool, typer.Option("--list", help="Print the files of the authors' dataset, and fetch nothing.")
    ] = False,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            metavar="PATH-IN-DATASET",
            show_default="the one that NAME means",
            help="Which file of the dataset holds the weights: a checkpoint or an archive.",
        ),
    ] = None,
    keep_download: Annotated[
        bool, typer.Option("--keep-download", help="Keep the download beside the converted model.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Fetch and convert it again though it is here.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Fetch the authors' weights once, convert and verify them; then --model NAME finds them.

    They go to $XDG_CACHE_HOME/janusdna/models/NAME (~/.cache/janusdna/models/NAME). A download that broke off
    is continued. HTTPS_PROXY is honoured; JANUSDNA_DATAVERSE names another server than Harvard's.

    Example: janusdna models pull janusdna-72
    """
    if (name is None) != list_files:
        raise typer.BadParameter("expected either the NAME of a published model, or --list")
    configure_logging(quiet=quiet)
    from janusdna_cli.model_store.pulling import describe_dataset, pull_model

    if name is None:
        typer.echo(describe_dataset())
    else:
        pull_model(name, file=file, overwrite=overwrite, keep_download=keep_download, quiet=quiet)


@app.command()
def convert(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A reference last.ckpt beside its model_config.json, or a model's directory.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The model's new directory.")],
    length: Annotated[
        int | None,
        typer.Option(
            "--length",
            metavar="N",
            parser=options.parse_window,
            show_default="unknown: windows default to 1,024",
            help="Bases that the model was trained on.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", show_default="the directory's name", help="What outputs call the model."),
    ] = None,
    weights_dtype: Annotated[
        Dtype,
        typer.Option(
            "--weights-dtype",
            show_default="as they are",
            help="What matrices are kept in: bfloat16 takes half the space, and is a little coarser.",
        ),
    ] = "auto",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Convert a checkpoint, without running it, to config.json and model.safetensors.

    Example: janusdna models convert last.ckpt -o my-model --length 1024
    """
    configure_logging(quiet=quiet)
    from janusdna_cli.model_store.conversion import convert_checkpoint

    convert_checkpoint(
        checkpoint, output, length=length, name=name, weights_dtype=weights_dtype, overwrite=overwrite
    )


@app.command()
def info(
    model: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="What --model takes, or a preset's name.")
    ],
) -> None:
    """Say what a model is: sizes, parameters, where it came from.

    Example: janusdna models info my-model
    """
    from janusdna_cli.model_store.inventory import describe

    typer.echo(describe(model))


@app.command()
def verify(
    model: Annotated[str, typer.Argument(metavar="NAME|PATH", help="What --model takes.")],
    quiet: options.Quiet = False,
) -> None:
    """Verify a model: the sha256 of its weights and of their source, and what it computes here.

    Where it is known what the published weights compute for one input, this machine must compute it too, in
    float32 on its CPU. What differs ends it with exit code 1.

    Example: janusdna models verify janusdna-72
    """
    configure_logging(quiet=quiet)
    from janusdna_cli.model_store.verification import verify_model

    for what, found in verify_model(model).items():
        typer.echo(f"{what:<14}{found}")
