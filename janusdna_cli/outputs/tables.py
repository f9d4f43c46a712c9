"""Tables of regions and variants: a writer that streams.

A table appears under its name when it is complete, never before.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from janusdna_cli.outputs.bedgraph import BedGraphSink
from janusdna_cli.outputs.bgzf import Bgzf
from janusdna_cli.outputs.bigwig import BigWigSink
from janusdna_cli.outputs.destinations import STDOUT, StandardOutput, Stream, reported, written_aside
from janusdna_cli.outputs.formats import Format, is_bgzipped
from janusdna_cli.outputs.h5ad import H5adSink
from janusdna_cli.outputs.indexes import Index
from janusdna_cli.outputs.npz import NpzSink
from janusdna_cli.outputs.parquet import ParquetSink
from janusdna_cli.outputs.partitioned import PartitionedSink
from janusdna_cli.outputs.records import RecordSink
from janusdna_cli.outputs.tsv import TsvSink
from janusdna_cli.records.header import RecordHeader

__all__ = ["Columns", "Metadata", "TableWriter", "as_table", "open_table"]

_PIECE_ROWS = 8_192
_PIECE_BYTES = 16 * 2**20

Metadata = Mapping[str, object]
Columns = Mapping[str, Any]


@contextmanager
def open_table(
    destination: str,
    schema: Any,
    form: Format,
    *,
    overwrite: bool = False,
    place: Path | None = None,
    metadata: Metadata | Callable[[], Metadata] | None = None,
    records: RecordHeader | None = None,
    contigs: Mapping[str, int] = MappingProxyType({}),
) -> Iterator["TableWriter"]:
    """Opens a table for writing; it is complete and in place when the block ends without an exception.

    Args:
        destination: A path, or `-` for standard output.
        schema: Names, types and order of the columns.
        form: What to write.
        overwrite: Replace what exists.
        place: The folder in which it lies until it is complete; None for beside it.
        metadata: What all formats but TSV, which has no place for it, keep under `janusdna`. A function is
            called once: after the last row, but for VCF and BCF, which tell it in their header, at once.
        records: For VCF and BCF, the header of the file that the column `record` comes from.
        contigs: For bigWig, the genome's, with their lengths.

    Raises:
        InputError: The destination cannot be written, at the start or (a full disk) later.
    """
    folder = form is Format.parquet_folder
    aside = (
        nullcontext()
        if destination == STDOUT
        else written_aside(destination, overwrite=overwrite, folder=folder, place=place)
    )
    with aside as path, ExitStack() as opened:
        told_first = _resolved(metadata) if records is not None else {}
        with reported(destination):
            sink = _placed_sink(path, destination, schema, form, contigs)
            if sink is None:
                stream = opened.enter_context(_opened(path, destination))
                compressed = Bgzf(stream) if is_bgzipped(destination, form) else stream
                sink = _sink(compressed, destination, schema, form, records, told_first)
        index = _index(path, destination, schema, form)
        try:
            yield TableWriter(sink, schema, destination, index)
            told_last = _resolved(metadata) if records is None else {}
            with reported(destination):
                sink.close(told_last)
        except BaseException:
            with suppress(OSError):
                sink.abandon()
            raise
        if index is not None and path is not None:
            index.build(path, destination)


@contextmanager
def _opened(path: Path | None, destination: str) -> Iterator[Stream]:
    """What takes the bytes; who has written all of them closes it."""
    with reported(destination):
        stream: Stream = StandardOutput() if path is None else path.open("wb")
    try:
        yield stream
    except BaseException:
        with suppress(OSError):
            stream.close()
        raise


def _resolved(metadata: Metadata | Callable[[], Metadata] | None) -> Metadata:
    return (metadata() if callable(metadata) else metadata) or {}


def _index(path: Path | None, destination: str, schema: Any, form: Format) -> Index | None:
    """For a file, as it is not for a pipe, of rows that have a place."""
    is_file = path is not None and path.is_file()
    has_place = "chrom" in schema.names and bool({"pos", "start"} & set(schema.names))
    return Index(form, schema) if is_file and has_place and is_bgzipped(destination, form) else None


class TableWriter:
    """Takes rows by columns; `open_table` makes it.

    Attributes:
        rows: Rows taken so far.
    """

    def __init__(self, sink: "_Sink", schema: Any, destination: str, index: Index | None) -> None:
        self.rows = 0
        self._sink = sink
        self._index = index
        self._schema = schema
        self._destination = destination

    def write(self, columns: Columns) -> None:
        """Writes some rows; thousands in a call are much cheaper than one.

        Args:
            columns: For each column of the schema a list, a NumPy or an Arrow array, all of one length. None
                and masked values become null, NaN stays NaN. Embeddings are an array (rows, d), or a list of
                arrays (d,) and None. Arrays are copied: the caller may fill them again.

        Raises:
            InputError: The destination cannot be written.
            ValueError: The names are not those of the schema.
        """
        self.write_table(as_table(columns, self._schema))

    def write_table(self, table: Any) -> None:
        """Writes the rows of a table of the schema.

        Raises:
            InputError: The destination cannot be written.
        """
        with reported(self._destination):
            for piece in _pieces(table):
                self._sink.write(piece)
                if self._index is not None:
                    self._index.add(piece)
        self.rows += table.num_rows


def as_table(columns: Columns, schema: Any) -> Any:
    """Rows by columns as an Arrow table; `TableWriter.write` says what columns may be.

    Raises:
        ValueError: The names are not those of the schema.
    """
    if set(columns) != set(schema.names):
        raise ValueError(f"found columns {sorted(columns)}, expected {sorted(schema.names)}")
    arrays = [_column(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _pieces(table: Any) -> Iterator[Any]:
    """Its rows in pieces to be copied and written at once, of bounded rows and, but for one row, bytes."""
    rows = table.num_rows
    if rows > 1 and (rows > _PIECE_ROWS or table.nbytes > _PIECE_BYTES):
        yield from _pieces(table.slice(0, rows // 2))
        yield from _pieces(table.slice(rows // 2))
    elif rows:
        yield table


def _column(values: Any, kind: Any) -> Any:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(kind)
    if not isinstance(values, np.ndarray):
        return pa.array(values, kind)
    if values.ndim == 1:
        return pa.array(values.copy(), kind)
    if values.shape[1] != kind.list_size:
        raise ValueError(f"found rows of {values.shape[1]} values, expected {kind.list_size}")
    missing = np.ma.getmaskarray(values).any(axis=1)
    items = pa.array(np.ma.getdata(values).ravel().copy(), kind.value_type)
    return pa.FixedSizeListArray.from_arrays(items, type=kind, mask=pa.array(missing))


class _Sink(Protocol):
    """One format: `close` completes the table and its stream, `abandon` lets go of it incomplete."""

    def write(self, table: Any) -> None: ...
    def close(self, metadata: Metadata) -> None: ...
    def abandon(self) -> None: ...


def _placed_sink(
    path: Path | None, destination: str, schema: Any, form: Format, contigs: Mapping[str, int]
) -> _Sink | None:
    """Of a format that is no stream of bytes."""
    if path is not None and form is Format.parquet_folder:
        return PartitionedSink(path, schema)
    if path is not None and form is Format.h5ad:
        return H5adSink(path, schema, destination)
    if path is not None and form is Format.bigwig:
        return BigWigSink(path, contigs, destination)
    return None


def _sink(
    stream: Stream,
    destination: str,
    schema: Any,
    form: Format,
    records: RecordHeader | None,
    metadata: Metadata,
) -> _Sink:
    if form is Format.parquet:
        return ParquetSink(stream, schema)
    if form is Format.tsv:
        return TsvSink(stream, schema)
    if form is Format.bedgraph:
        return BedGraphSink(stream)
    if form is Format.npz:
        return NpzSink(stream, schema, destination)
    if records is None:
        raise ValueError(f"{form} is made of records, and none were given")
    return RecordSink(stream, schema, records, metadata, is_bcf=form is Format.bcf)
