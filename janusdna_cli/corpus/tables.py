"""Tables of stretches: values base by base to BED lines, piece after piece."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["Lines"]


class Lines:
    """Writes a line for each run of one value; a run goes on from one piece to the next.

    Args:
        write: Takes lines.
        columns: Of each value, what follows chrom, start and end; bases of other values are left out.
    """

    def __init__(self, write: Callable[[str], object], columns: dict[int, str]) -> None:
        self._write = write
        self._columns = columns
        self._open: tuple[str, int, int, int] | None = None

    def add(self, contig: str, start: int, values: npt.NDArray[np.integer]) -> None:
        """Add the bases of [start, start + T), 0-based: (T,)."""
        edges = np.flatnonzero(np.diff(values)) + 1
        starts = np.concatenate(([0], edges))
        ends = np.concatenate((edges, [len(values)])) + start
        for value, first, end in zip(
            values[starts].tolist(), (starts + start).tolist(), ends.tolist(), strict=True
        ):
            self._add_run(contig, first, end, value)

    def finish(self) -> None:
        """Write what is left."""
        if self._open is not None:
            contig, start, end, value = self._open
            self._write(f"{contig}\t{start}\t{end}\t{self._columns[value]}\n")
            self._open = None

    def _add_run(self, contig: str, start: int, end: int, value: int) -> None:
        before = self._open
        if before is not None and (before[0], before[2], before[3]) == (contig, start, value):
            self._open = contig, before[1], end, value
            return
        self.finish()
        if value in self._columns:
            self._open = contig, start, end, value
