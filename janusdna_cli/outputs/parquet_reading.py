"""Parquet read by the thread that asks for it.

Arrow itself opens no path that is not UTF-8; and where threads of its own hold a file that Python has opened
while the interpreter ends, the process aborts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow.parquet as pq

__all__ = ["ParquetReader"]


class ParquetReader:
    """Row groups of a file. Checksums of pages are looked at.

    Args:
        data: The file, open for as long as it is read.

    Attributes:
        metadata: Its rows, its row groups, what was said of it.
        schema: Arrow's.

    Raises:
        pyarrow.ArrowException: It is no Parquet, or damaged; so do the methods.
    """

    def __init__(self, data: BinaryIO) -> None:
        self._file = pq.ParquetFile(data, pre_buffer=False, page_checksum_verification=True)
        self.metadata = self._file.metadata
        self.schema = self._file.schema_arrow

    def group(self, index: int, columns: Sequence[str] | None = None) -> Any:
        """A row group, all of its columns or those named."""
        return self._file.read_row_group(index, columns=columns and list(columns), use_threads=False)

    def groups(self, columns: Sequence[str]) -> Iterator[Any]:
        """Columns of one row group after the other."""
        return (self.group(index, columns) for index in range(self.metadata.num_row_groups))
