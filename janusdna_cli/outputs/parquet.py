"""Parquet, written row group by row group.

zstd, row groups of at most 64k rows or 64 MB, one JSON object under the file metadata key `janusdna`, the
meaning of each column in its field metadata.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from janusdna_cli.outputs.destinations import Stream

__all__ = [
    "METADATA_KEY",
    "ROW_GROUP_BYTES",
    "ROW_GROUP_ROWS",
    "ParquetSink",
    "as_json",
    "bounded_checksums",
]

METADATA_KEY = "janusdna"
ROW_GROUP_ROWS = 65_536
ROW_GROUP_BYTES = 64 * 2**20

_MOST_CONTIGS = 10_000


def bounded_checksums(checksums: Mapping[str, str | None]) -> dict[str, Any]:
    """What metadata keep of contigs' checksums: readers refuse a footer of a hundred megabytes.

    Args:
        checksums: MD5 by contig; None where it is not known.

    Returns:
        `contig_md5`, all of them; of more than 10,000 it is None, and `contigs_md5` is one checksum over all,
        as docs/formats.md defines it.
    """
    if len(checksums) <= _MOST_CONTIGS:
        return {"contig_md5": dict(checksums)}
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(checksums):
        digest.update(f"{name}\t{checksums[name] or '.'}\n".encode("utf-8", "surrogateescape"))
    unknown = sum(md5 is None for md5 in checksums.values())
    return {
        "contig_md5": None,
        "contigs_md5": {"contigs": len(checksums), "unknown": unknown, "md5": digest.hexdigest()},
    }


class ParquetSink:
    """Takes tables of one schema.

    Attributes:
        waiting: Bytes of the rows that make no row group yet.
    """

    def __init__(self, stream: Stream, schema: Any) -> None:
        strings = [field.name for field in schema if pa.types.is_string(field.type)]
        self._stream = stream
        self._writer = pq.ParquetWriter(
            stream, schema, compression="zstd", use_dictionary=strings, write_page_checksum=True
        )
        self._taken: list[Any] = []
        self._rows = self.waiting = 0

    def write(self, table: Any) -> None:
        """Takes some rows."""
        sizes = _row_bytes(table)
        while table.num_rows:
            fitting = int(np.searchsorted(np.cumsum(sizes), ROW_GROUP_BYTES - self.waiting, side="right"))
            count = min(fitting, ROW_GROUP_ROWS - self._rows) or not self._rows
            self._taken.append(table.slice(0, count))
            self._rows += count
            self.waiting += int(sizes[:count].sum())
            table, sizes = table.slice(count), sizes[count:]
            if table.num_rows:
                self.flush()

    def close(self, metadata: Mapping[str, object]) -> None:
        """Completes the file."""
        self.flush()
        self._writer.add_key_value_metadata({METADATA_KEY: as_json(metadata)})
        self._writer.close()
        self._stream.close()

    def abandon(self) -> None:
        """Lets go of it incomplete."""
        # A writer that is collected would still add a footer, and make what is there a valid file.
        self._writer.is_open = False

    def flush(self) -> None:
        """Writes the rows that wait, be they few."""
        if self._rows:
            # In one piece: where pages end must not tell in which pieces rows came.
            group = pa.concat_tables(self._taken).combine_chunks()
            self._writer.write_table(group, row_group_size=self._rows)
        self._taken, self._rows, self.waiting = [], 0, 0


def _row_bytes(table: Any) -> Any:
    """Bytes of each row, (rows,) int64, whatever the pieces of memory that it lies in."""
    fixed = sum(_width(field.type) for field in table.schema)
    sizes = np.full(table.num_rows, fixed, np.int64)
    for column in table.columns:
        if pa.types.is_string(column.type):
            sizes += pc.binary_length(column).fill_null(0).to_numpy()
    return sizes


def _width(kind: Any) -> int:
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size * _width(kind.value_type))
    return 4 if pa.types.is_string(kind) else int(kind.bit_width // 8)


def as_json(metadata: Mapping[str, object]) -> bytes:
    """What a file says of its origin, in UTF-8, also where a name within is not: others read this, too."""
    text = json.dumps(metadata, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()
