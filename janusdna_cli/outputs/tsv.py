"""Tab-separated values.

One header line, no quoting, `.` for null, the shortest digits that read back as the same float32 (a float16
is one of these), an embedding as one field with commas inside.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from janusdna_cli.outputs.destinations import Stream

__all__ = ["TsvSink"]

_TEXT = pa.large_string()  # of which even one line may exceed 2 GiB


class TsvSink:
    """Takes tables of one schema."""

    def __init__(self, stream: Stream, schema: Any) -> None:
        self._stream = stream
        self._stream.write(("\t".join(schema.names) + "\n").encode())

    def write(self, table: Any) -> None:
        """Takes some rows."""
        self._stream.write(_lines(table))

    def close(self, metadata: Mapping[str, object]) -> None:
        """Completes the file."""
        self._stream.close()

    def abandon(self) -> None:
        """Lets go of it incomplete."""


def _lines(table: Any) -> memoryview:
    columns = [_as_text(column.combine_chunks()) for column in table.columns]
    lines = pc.binary_join_element_wise(
        *columns, pa.scalar("\t", _TEXT), null_handling="replace", null_replacement="."
    )
    ended = pc.binary_join_element_wise(lines, pa.scalar("", _TEXT), pa.scalar("\n", _TEXT))
    return memoryview(ended.buffers()[2])


def _as_text(column: Any) -> Any:
    if not pa.types.is_fixed_size_list(column.type):
        return column.cast(_TEXT)
    if pa.types.is_float16(column.type.value_type):
        column = column.cast(pa.list_(pa.float32(), column.type.list_size))
    return pc.binary_join(column.cast(pa.list_(_TEXT)), pa.scalar(",", _TEXT))
