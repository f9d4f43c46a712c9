"""A table in memory, for formats that are written at once: its embeddings as a matrix, its other columns."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from janusdna_cli.errors import InputError

__all__ = ["EMBEDDING", "MOST_BYTES", "Gathered"]

EMBEDDING = "embedding"
# Of the arrays that come of it.
MOST_BYTES = 4 << 30


class Gathered:
    """Takes tables of one schema, with a column `embedding`, up to a size.

    Args:
        schema: Of the tables.
        destination: What errors name.

    Attributes:
        schema: Of the tables.
        rows: Rows taken.
        columns: Names of the columns but the embedding.
        widths: Of each column of strings the most characters.
    """

    def __init__(self, schema: Any, destination: str) -> None:
        self._kind = schema.field(EMBEDDING).type
        self.schema = schema
        self._destination = destination
        self._embeddings: deque[Any] = deque()
        self._others: list[Any] = []
        self.rows = 0
        self.columns = [name for name in schema.names if name != EMBEDDING]
        self.widths = {name: 1 for name in self.columns if pa.types.is_string(schema.field(name).type)}

    @property
    def shape(self) -> tuple[int, int]:
        """Of the embeddings: rows, values."""
        return self.rows, self._kind.list_size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the embeddings."""
        kind: np.dtype[Any] = np.dtype(self._kind.value_type.to_pandas_dtype())
        return kind

    def write(self, table: Any) -> None:
        """Takes some rows.

        Raises:
            InputError: They are too many for memory.
        """
        self._embeddings.append(table[EMBEDDING].combine_chunks())
        self._others.append(table.drop_columns(EMBEDDING))
        self.rows += table.num_rows
        for name in self.widths:
            longest = pc.max(pc.utf8_length(table[name])).as_py()
            self.widths[name] = max(self.widths[name], longest or 0)
        if self._bytes() > MOST_BYTES:
            raise InputError(
                f"{self._destination}: after {self.rows:,} rows the arrays take more than "
                f"{MOST_BYTES >> 30} GB, and this format is written from memory; "
                "write Parquet instead, or a folder of it, or embed fewer regions"
            )

    def embeddings(self) -> Iterator[npt.NDArray[Any]]:
        """Some rows after another, (rows, d), once: each is let go of; NaN where there is none."""
        while self._embeddings:
            column = self._embeddings.popleft()
            found = np.full((len(column), self._kind.list_size), np.nan, self.dtype)
            found[column.is_valid().to_numpy(zero_copy_only=False)] = (
                column.flatten().to_numpy().reshape(-1, self._kind.list_size)
            )
            yield found

    def column(self, name: str) -> Any:
        """One of the others, whole, as Arrow's array."""
        return pa.chunked_array(
            [table[name].combine_chunks() for table in self._others], self.schema.field(name).type
        ).combine_chunks()

    def _bytes(self) -> int:
        """Of the arrays: UCS-4 of equal width for strings, eight bytes for a number."""
        of_row = int(self._kind.list_size) * self.dtype.itemsize
        of_row += sum(4 * self.widths[name] if name in self.widths else 8 for name in self.columns)
        return self.rows * of_row
