"""Tables with a column of sequences: TSV, CSV and Parquet, in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from janusdna_cli.errors import InputError
from janusdna_cli.genome.streams import InputStream, open_file
from janusdna_cli.labelled.item import Item
from janusdna_cli.outputs.parquet_reading import ParquetReader

__all__ = ["SEQUENCE", "TableColumns", "is_parquet", "read_frame", "read_table"]

SEQUENCE = "sequence"
_ROWS = 4096
_SHOWN = 12
_IDS = ("id", "name")


class TableColumns:
    """Which columns of a table mean what.

    Args:
        path: The table, for messages.
        names: All of its columns.
        label: The one of labels as the user named it; several with commas between; None for no labels.
        part: That says which part an item belongs to; None for none.
        where: Column and value of the rows that are wanted; None for all.

    Raises:
        InputError: If one is not there.
    """

    def __init__(
        self,
        path: str,
        names: list[str],
        label: str | None,
        part: str | None,
        where: tuple[str, str] | None = None,
    ) -> None:
        self.labels = [] if label is None else [name.strip() for name in label.split(",")]
        self.part = part
        for name, option in [(SEQUENCE, ""), *((one, "--label ") for one in self.labels)]:
            if name not in names:
                raise InputError(f"{path}: {option}{name}: no such column, found {_listed(names)}")
        if part is not None and part not in names:
            raise InputError(f"{path}: --split {part}: no such column, found {_listed(names)}")
        if where is not None and where[0] not in names:
            raise InputError(f"{path}: --where {where[0]}: no such column, found {_listed(names)}")
        self._where = where
        self.id = next((name for name in _IDS if name in names), None)
        self.contig = "chrom" if "chrom" in names else None
        self.others = [name for name in names if name not in {SEQUENCE, *self.labels, part, self.id}]

    def wants(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is wanted."""
        return self._where is None or _text(row[self._where[0]]) == self._where[1]

    def item(self, row: Mapping[str, Any], number: int, place: str) -> Item:
        """An item of a row."""
        sequence = _text(row[SEQUENCE]) or ""
        labels = [_text(row[name]) for name in self.labels]
        label = None if not labels or any(one is None for one in labels) else ",".join(map(str, labels))
        return Item(
            place,
            {"id": str(number) if self.id is None else _text(row[self.id])},
            sequence.strip(),
            label=label,
            contig=None if self.contig is None else _text(row[self.contig]),
            part=None if self.part is None else _text(row[self.part]),
            status="ok" if sequence.strip() else "empty",
        )


def read_table(
    source: str, *, label: str | None, part: str | None = None, where: tuple[str, str] | None = None
) -> Iterator[Item]:
    """The rows of a table in its order, some thousands in memory.

    Args:
        source: A path, or "-" for stdin; TSV or CSV, plain or gzip, or Parquet.
        label: As of `TableColumns`; None where labels are not wanted.
        part, where: As of `TableColumns`.

    Raises:
        InputError: The file cannot be read, or has no such column.
    """
    blocks = _parquet(source) if is_parquet(source) else _text_blocks(source)
    columns: TableColumns | None = None
    number = 0
    for names, rows in blocks:
        if columns is None:
            columns = TableColumns(source, names, label, part, where)
        for row in rows:
            number += 1
            if columns.wants(row):
                yield columns.item(row, number, f"row {number}")


def read_frame(path: str) -> pd.DataFrame:
    """All of a table, every cell as text.

    Raises:
        InputError: The file cannot be read.
    """
    blocks = _parquet(path) if is_parquet(path) else _text_blocks(path)
    return pd.concat([pd.DataFrame(rows, columns=names) for names, rows in blocks], ignore_index=True)


def is_parquet(source: str) -> bool:
    """Whether a file is Parquet, by its first bytes."""
    if source == "-":
        return False
    with open_file(source) as file:
        return file.read(4) == b"PAR1"


def _parquet(source: str) -> Iterator[tuple[list[str], list[dict[str, Any]]]]:
    with open_file(source) as data:
        file = ParquetReader(data)
        names = list(file.schema.names)
        for group in range(file.metadata.num_row_groups):
            for batch in file.group(group).to_batches(max_chunksize=_ROWS):
                yield names, batch.to_pylist()


def _text_blocks(source: str) -> Iterator[tuple[list[str], list[dict[str, Any]]]]:
    with InputStream(source) as stream:
        head = stream.peek(1 << 16).split(b"\n", 1)[0]
        separator = "\t" if b"\t" in head else ","
        try:
            frames = pd.read_csv(
                stream,  # type: ignore[call-overload]
                sep=separator,
                dtype=str,
                keep_default_na=False,
                chunksize=_ROWS,
                encoding="utf-8",
                encoding_errors="surrogateescape",
            )
            for frame in frames:
                yield list(map(str, frame.columns)), frame.to_dict("records")
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{stream.name}: no table with a header: {reason}") from error


def _text(value: Any) -> str | None:
    """A cell as text; None where it is empty."""
    if value is None or value != value or value == "":  # NaN differs from itself
        return None
    return str(value)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
