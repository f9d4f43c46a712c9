"""Tables of regions and variants: their schemas, and a writer that streams.

Facts of both formats:
    - A table appears under its name when it is complete, never before: it is written beside its destination
      under a hidden name that ends in `.part`, and renamed.
    - Parquet: zstd, row groups of at most 64k rows or 64 MB, one JSON object under the file metadata key
      `janusdna`, the meaning of each column in its field metadata.
    - TSV: one header line, no quoting, `.` for null, the shortest digits that read back as the same float32,
      an embedding as one field with commas inside. `.gz` is BGZF, which gzip reads and tabix indexes.
    - `start end` are 0-based half-open, `pos` is 1-based, here as everywhere.
"""

import io
import json
import os
import secrets
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from janusdna_cli.errors import InputError

__all__ = [
    "METADATA_KEY",
    "ROW_GROUP_BYTES",
    "ROW_GROUP_ROWS",
    "SCHEMA_VERSION",
    "VARIANT_SCHEMA",
    "Format",
    "TableWriter",
    "check_destination",
    "embedding_schema",
    "open_table",
    "table_format",
    "written_aside",
]

METADATA_KEY = "janusdna"
SCHEMA_VERSION = 1
ROW_GROUP_ROWS = 65_536
ROW_GROUP_BYTES = 64 * 2**20
STDOUT = "-"

_TSV_ROWS = 8_192
_BGZF_PAYLOAD = 0xFF00

Metadata = Mapping[str, object]
Columns = Mapping[str, Any]


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


def _field(name: str, kind: Any, meaning: str, *, nullable: bool = True) -> Any:
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


def embedding_schema(dimension: int, *, per_base: bool = False, extra_columns: int = 0) -> Any:
    """Columns of `janusdna embed`.

    Args:
        dimension: d, the length of an embedding.
        per_base: One row a base, with its 1-based position on the contig in `pos`.
        extra_columns: How many BED columns, from the fourth on, are kept as strings `bed_4`, `bed_5`, ...
    """
    fields = [
        _field("chrom", pa.string(), "contig, as in the BED", nullable=False),
        _field("start", pa.int64(), "start of the region, 0-based", nullable=False),
        _field("end", pa.int64(), "end of the region, exclusive", nullable=False),
        _field("name", pa.string(), "name, as in the BED"),
        _field("strand", pa.string(), "strand, as in the BED"),
        _field("n_bases", pa.int64(), "bases A, C, G, T read", nullable=False),
        _field("status", pa.string(), "ok, or why there is no embedding", nullable=False),
        *(_field(f"bed_{i}", pa.string(), f"BED column {i}") for i in range(4, 4 + extra_columns)),
        _field("embedding", pa.list_(pa.float32(), dimension), "hidden state after the last norm"),
    ]
    if per_base:
        fields.insert(5, _field("pos", pa.int64(), "position of the base on the contig, 1-based"))
    return pa.schema(fields)


VARIANT_SCHEMA = pa.schema(
    [
        _field("chrom", pa.string(), "CHROM, as in the VCF", nullable=False),
        _field("pos", pa.int64(), "POS, as in the VCF, 1-based", nullable=False),
        _field("id", pa.string(), "ID, as in the VCF"),
        _field("ref", pa.string(), "REF, as in the VCF", nullable=False),
        _field("alt", pa.string(), "one ALT, as in the VCF; . where it has none", nullable=False),
        _field("status", pa.string(), "ok, or why there is no score", nullable=False),
        _field("llr", pa.float32(), "log p(ALT) - log p(REF) at the site, natural logarithm"),
        _field("delta_pll", pa.float32(), "pseudo-log-likelihood of the ALT haplotype less that of REF"),
        _field("emb_l2", pa.float32(), "Euclidean distance of the REF and ALT embeddings"),
        _field("emb_cosine", pa.float32(), "cosine distance of the REF and ALT embeddings"),
        _field("ref_logp", pa.float32(), "log p(REF) at the site, natural logarithm"),
        _field("alt_logp", pa.float32(), "log p(ALT) at the site, natural logarithm"),
        _field("entropy", pa.float32(), "entropy over A, C, G, T at the site, bits"),
        _field("window_start", pa.int64(), "start of the window read, 0-based"),
        _field("window_end", pa.int64(), "end of the window read, exclusive"),
        _field("n_frac", pa.float32(), "share of the window's bases that are not A, C, G, T"),
    ]
)


def check_destination(destination: str, *, overwrite: bool) -> None:
    """Refuses, before any work, a destination that could not be written at the end of it.

    Raises:
        InputError: It exists, is a folder, or lies in a folder that is missing or not writable.
    """
    target = Path(destination)
    if destination == STDOUT or _is_special(target):
        return
    if target.is_dir():
        raise InputError(f"{destination}: is a folder, expected the name of a file to write")
    if target.exists() and not overwrite:
        raise InputError(f"{destination}: exists; pass --overwrite to replace it")
    folder = target.resolve().parent
    if not folder.is_dir():
        raise InputError(f"{destination}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{destination}: the folder {folder} is not writable; choose another output")


@contextmanager
def written_aside(destination: str, *, overwrite: bool) -> Iterator[Path]:
    """A path to write, which becomes the destination on a clean exit and disappears on any other.

    A pipe or a device (`/dev/stdout`, a shell's `>(command)`) cannot be renamed to: it is written directly.

    Raises:
        InputError: As `check_destination`.
    """
    check_destination(destination, overwrite=overwrite)
    target = Path(destination).resolve()
    if _is_special(target):
        yield target
        return
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield aside
        with _reported(destination):
            aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def _reported(destination: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "standard output" if destination == STDOUT else destination
        reason = error.strerror or str(error)
        raise InputError(
            f"{name}: cannot be written: {reason}; make room or choose another output"
        ) from error


@contextmanager
def open_table(
    destination: str,
    schema: Any,
    table_format: Format,
    *,
    overwrite: bool = False,
    metadata: Metadata | Callable[[], Metadata] | None = None,
) -> Iterator["TableWriter"]:
    """Opens a table for writing; it is complete and in place when the block ends without an exception.

    Args:
        destination: A path, or `-` for standard output.
        schema: Names, types and order of the columns.
        table_format: See the function of that name.
        overwrite: Replace a file that exists.
        metadata: What Parquet keeps under `janusdna`. A function is called once, after the last row. TSV has
            no place for it.

    Raises:
        InputError: The destination cannot be written, at the start or (a full disk) later.
    """
    aside = nullcontext() if destination == STDOUT else written_aside(destination, overwrite=overwrite)
    with aside as path:
        with _reported(destination):
            sink = _open_sink(path, destination, schema, table_format)
        try:
            yield TableWriter(sink, schema, destination)
            found = metadata() if callable(metadata) else metadata
            with _reported(destination):
                sink.close(found or {})
        except BaseException:
            with suppress(OSError):
                sink.abandon()
            raise


class TableWriter:
    """Takes rows by columns; `open_table` makes it.

    Attributes:
        rows: Rows taken so far.
    """

    def __init__(self, sink: "_Sink", schema: Any, destination: str) -> None:
        self.rows = 0
        self._sink = sink
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
        if set(columns) != set(self._schema.names):
            raise ValueError(f"found columns {sorted(columns)}, expected {sorted(self._schema.names)}")
        arrays = [_column(columns[field.name], field.type) for field in self._schema]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        with _reported(self._destination):
            self._sink.write(table)
        self.rows += table.num_rows


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


class _Stream(Protocol):
    def write(self, data: Any, /) -> int: ...
    def close(self) -> None: ...


class _Sink(Protocol):
    """One format: `close` completes the table, `abandon` lets go of it incomplete."""

    def write(self, table: Any) -> None: ...
    def close(self, metadata: Metadata) -> None: ...
    def abandon(self) -> None: ...


def _open_sink(path: Path | None, destination: str, schema: Any, table_format: Format) -> _Sink:
    stream: _Stream = _Stdout() if path is None else path.open("wb")
    if table_format is Format.parquet:
        return _ParquetSink(stream, schema)
    compressed = destination.lower().endswith(".gz")
    return _TsvSink(_Bgzf(stream) if compressed else stream, schema)


class _ParquetSink:
    def __init__(self, stream: _Stream, schema: Any) -> None:
        strings = [field.name for field in schema if pa.types.is_string(field.type)]
        self._stream = stream
        self._writer = pq.ParquetWriter(stream, schema, compression="zstd", use_dictionary=strings)
        self._pending = schema.empty_table()
        self._taken: list[Any] = []
        self._rows = self._bytes = 0

    def write(self, table: Any) -> None:
        self._taken.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
            self._write_groups(least=None)

    def close(self, metadata: Metadata) -> None:
        self._write_groups(least=1)
        self._writer.add_key_value_metadata({METADATA_KEY: json.dumps(metadata)})
        self._writer.close()
        self._stream.close()

    def abandon(self) -> None:
        # A writer that is collected would still add a footer, and make what is there a valid file.
        self._writer.is_open = False
        self._stream.close()

    def _write_groups(self, least: int | None) -> None:
        """Writes full row groups, and a last one of at least that many rows."""
        table = pa.concat_tables([self._pending, *self._taken])
        size = _rows_per_group(table)
        while table.num_rows >= (least or size):
            self._writer.write_table(table.slice(0, size), row_group_size=size)
            table = table.slice(size)
        self._pending, self._taken = table, []
        self._rows, self._bytes = table.num_rows, table.nbytes


def _rows_per_group(table: Any) -> int:
    by_bytes = ROW_GROUP_BYTES * table.num_rows // max(table.nbytes, 1)
    return int(max(1, min(ROW_GROUP_ROWS, by_bytes)))


class _TsvSink:
    def __init__(self, stream: _Stream, schema: Any) -> None:
        self._stream = stream
        self._stream.write(("\t".join(schema.names) + "\n").encode())

    def write(self, table: Any) -> None:
        for first in range(0, table.num_rows, _TSV_ROWS):
            self._stream.write(_tsv_lines(table.slice(first, _TSV_ROWS)))

    def close(self, metadata: Metadata) -> None:
        self._stream.close()

    def abandon(self) -> None:
        self._stream.close()


def _tsv_lines(table: Any) -> memoryview:
    columns = [_as_text(column.combine_chunks()) for column in table.columns]
    lines = pc.binary_join_element_wise(
        *columns, pa.scalar("\t"), null_handling="replace", null_replacement="."
    )
    ended = pc.binary_join_element_wise(lines, pa.scalar(""), pa.scalar("\n"))
    return memoryview(ended.buffers()[2])


def _as_text(column: Any) -> Any:
    if not pa.types.is_fixed_size_list(column.type):
        return column.cast(pa.string())
    return pc.binary_join(column.cast(pa.list_(pa.string())), ",")


class _Stdout(io.RawIOBase):
    """Standard output, which stays open for others when this is closed."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if self.closed:
            raise ValueError("write to a closed stream")
        rest = memoryview(data)
        while rest:  # under `python -u` one call may take only a part
            rest = rest[sys.stdout.buffer.write(rest) :]
        return len(data)

    def close(self) -> None:
        try:
            if not self.closed:
                sys.stdout.buffer.flush()
        finally:
            super().close()


class _Bgzf:
    """Blocked gzip.

    pysam's writer is not used: it prints to stderr and crashes when the disk is full.

    Source: SAM specification, section 4.1.
    """

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def write(self, data: Any, /) -> int:
        view = memoryview(data)
        for first in range(0, len(view), _BGZF_PAYLOAD):
            self._stream.write(_bgzf_block(view[first : first + _BGZF_PAYLOAD]))
        return len(view)

    def close(self) -> None:
        try:
            self._stream.write(_bgzf_block(memoryview(b"")))  # the end-of-file marker
        finally:
            self._stream.close()


def _bgzf_block(payload: memoryview) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    body = deflate.compress(payload) + deflate.flush()
    magic, extra = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff", b"BC\x02\x00"
    size = len(body) + 26
    header = magic + struct.pack("<H", 6) + extra + struct.pack("<H", size - 1)
    return header + body + struct.pack("<II", zlib.crc32(payload), len(payload))
