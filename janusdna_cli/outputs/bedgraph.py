"""bedGraph: `chrom start end value` for each base that has a value, 0-based half-open.

Source: https://genome.ucsc.edu/goldenPath/help/bedgraph.html; without its `track` line, which tabix does not
take.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from janusdna_cli.outputs.destinations import Stream

__all__ = ["BedGraphSink", "with_values"]

_TEXT = pa.large_string()


def with_values(table: Any) -> Any:
    """The rows of bases that have a value."""
    return table.filter(table["value"].is_valid())


class BedGraphSink:
    """Takes tables of `chrom`, `pos` and `value`, sorted and without overlap."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def write(self, table: Any) -> None:
        """Takes some rows."""
        rows = with_values(table)
        if not rows.num_rows:
            return
        columns = (rows["chrom"], pc.subtract(rows["pos"], 1), rows["pos"], rows["value"])
        texts = [column.combine_chunks().cast(_TEXT) for column in columns]
        lines = pc.binary_join_element_wise(*texts, pa.scalar("\t", _TEXT))
        ended = pc.binary_join_element_wise(lines, pa.scalar("", _TEXT), pa.scalar("\n", _TEXT))
        self._stream.write(memoryview(ended.buffers()[2]))

    def close(self, metadata: Mapping[str, object]) -> None:
        """Completes the file."""
        self._stream.close()

    def abandon(self) -> None:
        """Lets go of it incomplete."""
