"""A folder of Parquet files, one for each contig, which readers of folders read as one table.

The files are plain ones: the contig is their name and stays in their column `chrom`.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from janusdna_cli.outputs.parquet import ROW_GROUP_BYTES, ParquetSink

__all__ = ["MOST_FILES", "OTHERS", "PartitionedSink", "file_name"]

# What is open at a time; some systems let a process open 256.
MOST_FILES = 200
# For contigs beyond that; no contig's own file is called so, for a plus is quoted.
OTHERS = "+others.parquet"

_WAITING_BYTES = 2 * ROW_GROUP_BYTES
_LONGEST_NAME = 240  # bytes: short of the 255 that a name may have


def file_name(contig: str) -> str | None:
    """The file of a contig, quoted as in a URL; None for a name that is too long for one.

    A point or an underscore at its beginning is quoted too: readers of folders pass over such files.
    """
    name = quote(contig, safe="")
    if name[:1] in ("", ".", "_"):
        name = f"%{ord(name[0]):02X}{name[1:]}" if name else "%"
    return f"{name}.parquet" if len(name) <= _LONGEST_NAME else None


class PartitionedSink:
    """Takes tables of one schema, whose rows go to the file of their `chrom`."""

    def __init__(self, folder: Path, schema: Any) -> None:
        self._folder = folder
        self._schema = schema
        self._sinks: dict[str, ParquetSink] = {}
        self._files: list[BinaryIO] = []

    def write(self, table: Any) -> None:
        """Takes some rows."""
        contigs = table["chrom"].combine_chunks().dictionary_encode()
        files = [self._file(name) for name in contigs.dictionary.to_pylist()]
        order = {file: place for place, file in enumerate(dict.fromkeys(files))}
        of_rows = np.array([order[file] for file in files], np.int64)[contigs.indices.to_numpy()]
        for file, place in order.items():
            rows = table if len(order) == 1 else table.filter(pa.array(of_rows == place))
            self._sinks[file].write(rows)
        self._bound_waiting()

    def close(self, metadata: Mapping[str, object]) -> None:
        """Completes the files."""
        if not self._sinks:
            self._open(OTHERS)
        for sink in self._sinks.values():
            sink.close(metadata)

    def abandon(self) -> None:
        """Lets go of them incomplete."""
        for sink, file in zip(self._sinks.values(), self._files, strict=True):
            sink.abandon()
            with suppress(OSError):
                file.close()

    def _file(self, contig: str) -> str:
        """The file of a contig, opened."""
        name = file_name(contig)
        if name in self._sinks:
            return name
        if name is not None and len(self._sinks) < MOST_FILES:
            with suppress(FileExistsError):  # of a contig that differs in case, where the system sees none
                self._open(name)
                return name
        if OTHERS not in self._sinks:
            self._open(OTHERS)
        return OTHERS

    def _open(self, name: str) -> None:
        file = (self._folder / name).open("xb")
        self._files.append(file)
        self._sinks[name] = ParquetSink(file, self._schema)

    def _bound_waiting(self) -> None:
        """Has the fullest files write small row groups, where all together keep too much in memory."""
        waiting = sum(sink.waiting for sink in self._sinks.values())
        while waiting > _WAITING_BYTES:
            fullest = max(self._sinks.values(), key=lambda sink: sink.waiting)
            waiting -= fullest.waiting
            fullest.flush()
