"""Tables that `score-variants` wrote, read again in blocks of rows: Parquet and TSV."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pandas as pd
import pyarrow as pa

from janusdna_cli.errors import InputError
from janusdna_cli.genome.streams import InputStream, open_file
from janusdna_cli.outputs.parquet_reading import ParquetReader

__all__ = ["ALLELE", "read_scores"]

ALLELE = ("ref", "alt", "status")
_ROWS = 65_536
_MAGIC = b"PAR1"
_EXPECTED = "expected a table that janusdna score-variants wrote, Parquet or TSV"


def read_scores(path: str, wanted: Collection[str]) -> Iterator[pd.DataFrame]:
    """Some columns of a table, in blocks of rows.

    Args:
        path: Parquet, or TSV, plain or gzipped; "-" for a TSV on standard input.
        wanted: Columns to read where they are there, besides `ALLELE`.

    Raises:
        InputError: It cannot be read, or is no table of scores.
    """
    if path != "-":
        with open_file(path) as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                yield from _parquet(path, wanted)
                return
    yield from _tsv(path, wanted)


def _parquet(path: str, wanted: Collection[str]) -> Iterator[pd.DataFrame]:
    try:
        with open_file(path) as data:
            file = ParquetReader(data)
            columns = _columns(path, file.schema.names, wanted)
            for group in file.groups(columns):
                yield group.to_pandas()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: is damaged or cut off: {reason}; copy it again") from error


def _tsv(path: str, wanted: Collection[str]) -> Iterator[pd.DataFrame]:
    with InputStream(path) as stream:
        names = stream.peek(1 << 16).partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r").split("\t")
        columns = _columns(stream.name, names, wanted)
        types = {name: str if name in ALLELE else "float32" for name in columns}
        try:
            yield from pd.read_csv(
                stream,  # type: ignore[call-overload]
                sep="\t",
                usecols=columns,
                dtype=types,
                na_values=["."],
                keep_default_na=False,
                chunksize=_ROWS,
                quoting=3,
                encoding_errors="replace",
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{stream.name}: found {reason}; {_EXPECTED}") from error


def _columns(path: str, names: Sequence[str], wanted: Collection[str]) -> list[str]:
    found = [name for name in wanted if name in names]
    if not found or any(name not in names for name in ALLELE):
        shown = ", ".join(name[:20] for name in names[:6]) + (", ..." if len(names) > 6 else "")
        raise InputError(f"{path}: found the columns {shown or 'none'}; {_EXPECTED}")
    return [*ALLELE, *found]
