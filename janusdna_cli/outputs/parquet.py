"""Parquet, written row group by row group.

zstd, row groups of at most 64k rows or 64 MB, one JSON object under the file metadata key `janusdna`, the
meaning of each column in its field metadata.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from janusdna_cli.outputs.destinations import Stream

__all__ = ["METADATA_KEY", "ROW_GROUP_BYTES", "ROW_GROUP_ROWS", "ParquetSink", "as_json", "bounded_checksums"]

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
    """Takes tables of one schema."""

    def __init__(self, stream: Stream, schema: Any) -> None:
        strings = [field.name for field in schema if pa.types.is_string(field.type)]
        self._stream = stream
        self._writer = pq.ParquetWriter(stream, schema, compression="zstd", use_dictionary=strings)
        self._pending = schema.empty_table()
        self._taken: list[Any] = []
        self._rows = self._bytes = 0

    def write(self, table: Any) -> None:
        """Takes some rows."""
        self._taken.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
            self._write_groups(least=None)

    def close(self, metadata: Mapping[str, object]) -> None:
        """Completes the file."""
        self._write_groups(least=1)
        self._writer.add_key_value_metadata({METADATA_KEY: as_json(metadata)})
        self._writer.close()
        self._stream.close()

    def abandon(self) -> None:
        """Lets go of it incomplete."""
        # A writer that is collected would still add a footer, and make what is there a valid file.
        self._writer.is_open = False

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


def as_json(metadata: Mapping[str, object]) -> bytes:
    """Metadata in UTF-8, also where the name of a file or a folder is not: others read this, too."""
    text = json.dumps(metadata, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()
