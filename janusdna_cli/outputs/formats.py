"""The formats of a table, and which one a name means."""

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.destinations import STDOUT

__all__ = ["TABLES", "VARIANTS", "Format", "is_bgzipped", "table_format"]


class Format(StrEnum):
    """The formats of a table; a task can write some of them."""

    parquet = "parquet"
    tsv = "tsv"
    vcf = "vcf"
    bcf = "bcf"


# What any table can be written as, and what a table of variants can.
TABLES = (Format.parquet, Format.tsv)
VARIANTS = (*TABLES, Format.vcf, Format.bcf)

_SUFFIXES = {
    ".parquet": Format.parquet,
    ".tsv": Format.tsv,
    ".tsv.gz": Format.tsv,
    ".vcf": Format.vcf,
    ".vcf.gz": Format.vcf,
    ".bcf": Format.bcf,
}


def table_format(
    destination: str,
    override: Format | None = None,
    *,
    formats: Collection[Format] = TABLES,
    stdout_default: Format = Format.tsv,
) -> Format:
    """The format to write, by `--format` or else by suffix.

    Args:
        destination: A path, or `-` for standard output.
        override: What was asked for.
        formats: Those that can be written.
        stdout_default: What standard output gets.

    Raises:
        InputError: The suffix names none of the formats.
    """
    if override is not None:
        return override
    if destination == STDOUT:
        return stdout_default
    suffixes = {suffix: form for suffix, form in _SUFFIXES.items() if form in formats}
    for suffix, found in suffixes.items():
        if destination.lower().endswith(suffix):
            return found
    raise InputError(
        f"{destination}: the suffix {Path(destination).suffix or '(none)'} names no format of this table; "
        f"use one of {', '.join(suffixes)}, or pass --format {'|'.join(formats)}"
    )


def is_bgzipped(destination: str, form: Format) -> bool:
    """Whether what is written there is blocked gzip."""
    return form is Format.bcf or (form is not Format.parquet and destination.lower().endswith(".gz"))
