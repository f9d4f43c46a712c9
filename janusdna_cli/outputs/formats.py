"""The formats of a table, and which one a name means."""

import os
from collections.abc import Collection
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.destinations import STDOUT

__all__ = [
    "EMBEDDINGS",
    "TABLES",
    "TRACKS",
    "VARIANTS",
    "Format",
    "is_bgzipped",
    "is_folder_name",
    "table_format",
]


class Format(StrEnum):
    """The formats of a table; `parquet_folder` is told by a destination alone."""

    parquet = "parquet"
    parquet_folder = "folder of parquet"
    tsv = "tsv"
    vcf = "vcf"
    bcf = "bcf"
    npz = "npz"
    h5ad = "h5ad"
    bigwig = "bigwig"
    bedgraph = "bedgraph"


# What any table can be written as, one of variants, one of embeddings, and one of values by base.
TABLES = (Format.parquet, Format.tsv)
VARIANTS = (*TABLES, Format.vcf, Format.bcf)
EMBEDDINGS = (*TABLES, Format.npz, Format.h5ad)
TRACKS = (Format.bigwig, Format.bedgraph, *TABLES)

# What is written in no order, and so to files alone.
_PLACED = (Format.h5ad, Format.bigwig)

_SUFFIXES = {
    ".parquet": Format.parquet,
    ".tsv": Format.tsv,
    ".tsv.gz": Format.tsv,
    ".vcf": Format.vcf,
    ".vcf.gz": Format.vcf,
    ".bcf": Format.bcf,
    ".npz": Format.npz,
    ".h5ad": Format.h5ad,
    ".bw": Format.bigwig,
    ".bigwig": Format.bigwig,
    ".bedgraph": Format.bedgraph,
    ".bedgraph.gz": Format.bedgraph,
}


def table_format(
    destination: str,
    override: Format | None = None,
    *,
    formats: Collection[Format] = TABLES,
    stdout_default: Format = Format.tsv,
) -> Format:
    """The format to write, by `--format` or else by the destination: its suffix, or that it is a folder.

    Args:
        destination: A path, or `-` for standard output.
        override: What was asked for.
        formats: Those that can be written.
        stdout_default: What standard output gets.

    Raises:
        InputError: The destination names no format of the task, or one that cannot be written here.
    """
    form = _named(destination, override, formats) or (stdout_default if destination == STDOUT else None)
    if form is None:
        known = ", ".join(suffix for suffix, form in _SUFFIXES.items() if form in formats)
        choices = "|".join(form for form in formats if form is not Format.parquet_folder)
        raise InputError(
            f"{destination}: the suffix {Path(destination).suffix or '(none)'} names no format of this "
            f"table; use one of {known}, or pass --format {choices}"
        )
    if form in _PLACED:
        _check_placed(destination, form)
    return form


def _named(destination: str, override: Format | None, formats: Collection[Format]) -> Format | None:
    if destination.endswith(os.sep):
        if Format.parquet_folder not in formats or override not in (None, Format.parquet):
            form = override or "the table"
            raise InputError(f"{destination}: is a folder, expected the name of a file to write {form} to")
        return Format.parquet_folder
    if override is not None or destination == STDOUT:
        return override
    for suffix, form in _SUFFIXES.items():
        if destination.lower().endswith(suffix) and form in formats:
            return form
    return Format.parquet_folder if _is_folder(destination) and Format.parquet_folder in formats else None


def is_bgzipped(destination: str, form: Format) -> bool:
    """Whether what is written there is blocked gzip."""
    is_text = form in (Format.tsv, Format.vcf, Format.bedgraph)
    return form is Format.bcf or (is_text and destination.lower().endswith(".gz"))


def is_folder_name(destination: str, override: Format | None = None) -> bool:
    """Whether a destination is a folder: by a slash at its end, or because it has no suffix."""
    if destination == STDOUT or override not in (None, Format.parquet):
        return False
    return destination.endswith(os.sep) or (override is None and _is_folder(destination))


def _is_folder(destination: str) -> bool:
    path = Path(destination)
    return not path.suffix and (path.is_dir() or not path.exists())


def _check_placed(destination: str, form: Format) -> None:
    """Whether that can be written there: it needs a file in which to move about, and HDF5 its package."""
    if form is Format.h5ad and find_spec("anndata") is None:
        raise InputError(
            f"{destination}: h5ad needs the package anndata, which is not installed; "
            "run: pip install 'janusdna[anndata]'"
        )
    if destination == STDOUT or (Path(destination).exists() and not Path(destination).is_file()):
        raise InputError(f"{destination}: {form} cannot be written to a pipe or a device; name a file")
