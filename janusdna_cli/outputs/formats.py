"""The formats of a table, and which one a name means."""

from enum import StrEnum
from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.destinations import STDOUT

__all__ = ["Format", "table_format"]


class Format(StrEnum):
    """The formats of a table."""

    parquet = "parquet"
    tsv = "tsv"


_SUFFIXES = {".parquet": Format.parquet, ".tsv": Format.tsv, ".tsv.gz": Format.tsv}


def table_format(
    destination: str, override: Format | None = None, *, stdout_default: Format = Format.tsv
) -> Format:
    """The format to write, by `--format` or else by suffix.

    Raises:
        InputError: The suffix names no table format.
    """
    if override is not None:
        return override
    if destination == STDOUT:
        return stdout_default
    for suffix, found in _SUFFIXES.items():
        if destination.lower().endswith(suffix):
            return found
    known = ", ".join(_SUFFIXES)
    raise InputError(
        f"{destination}: the suffix {Path(destination).suffix or '(none)'} names no table format; "
        f"use one of {known}, or pass --format {'|'.join(Format)}"
    )
