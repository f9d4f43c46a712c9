"""`janusdna models list | convert | info`."""

from pathlib import Path
from typing import Annotated

import typer

from janusdna_cli import options
from janusdna_cli.progress import configure_logging

__all__ = ["app"]

app = typer.Typer(help="Models: the known ones, converting published weights, what a file holds.")


@app.command("list")
def list_models() -> None:
    """List the published sizes and whether their weights are here.

    Example: janusdna models list
    """
    from janusdna_cli.model_files import describe_known

    typer.echo(describe_known())


@app.command()
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A reference last.ckpt beside its model_config.json.")
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
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Convert a reference checkpoint, without running it, to config.json and model.safetensors.

    Example: janusdna models convert last.ckpt -o my-model --length 1024
    """
    configure_logging(quiet=quiet)
    from janusdna_cli.model_files import convert_checkpoint

    convert_checkpoint(checkpoint, output, length=length, name=name, overwrite=overwrite)


@app.command()
def info(
    model: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="What --model takes, or a preset's name.")
    ],
) -> None:
    """Say what a model is: sizes, parameters, where it came from.

    Example: janusdna models info my-model
    """
    from janusdna_cli.model_files import describe

    typer.echo(describe(model))
