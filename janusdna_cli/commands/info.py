"""`janusdna info`."""

from typing import Annotated

import typer

from janusdna_cli.runtime.progress import configure_logging

__all__ = ["info"]


def info(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A Parquet file or a folder of them; an annotated VCF or BCF, - is stdin; a model's name or "
            "path; the folder of a pretraining run, or OUTPUT.parts of an unfinished run.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Say what made a file: version, command, model, reference, settings, its rows by status.

    Example: janusdna info scores.parquet
    """
    configure_logging()
    from janusdna_cli.origins.info import origin_of

    origin = origin_of(file)
    typer.echo(origin.as_json() if as_json else origin.as_text())
