"""`janusdna merge`."""

from typing import Annotated

import typer

from janusdna_cli.commands import options
from janusdna_cli.outputs.formats import EMBEDDINGS, TRACKS, VARIANTS, Format
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["merge"]

_FORMATS = dict.fromkeys((*VARIANTS, *EMBEDDINGS, *TRACKS))


def merge(
    parts: Annotated[
        list[str],
        typer.Argument(metavar="PARTS...", help="Folders of parts that --shard wrote, or the parts."),
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="PATH", help="Where to write, format by suffix; - is stdout."),
    ],
    format: Annotated[Format | None, options.format_option(_FORMATS)] = None,  # noqa: A002 - the option's name
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Put the parts of a sharded run together: the same table as that of one run, in the input's order.

    All parts must be there, whole, and of one run.

    Example: janusdna merge parts/ -o scores.parquet
    """
    configure_logging(quiet=quiet)
    from janusdna_cli.merging import merge_parts

    merge_parts(parts, output, form=format, overwrite=overwrite, quiet=quiet)
