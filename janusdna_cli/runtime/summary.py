"""What a run did, and the line that says so at its end."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from janusdna_cli.runtime.progress import format_summary

__all__ = ["Summary"]

Table = TypeVar("Table", bound=Any)

logger = logging.getLogger(__name__)


@dataclass
class Summary:
    """What a run did.

    Attributes:
        output: Where the table is.
        unit: What a row is, in the plural.
        counts: Rows by status.
        windows: Windows read, each strand for itself.
        bases: Bases read.
        seconds: Time taken, without loading the model.
    """

    output: str
    unit: str
    counts: Counter[str] = field(default_factory=Counter)
    windows: int = 0
    bases: int = 0
    seconds: float = 0.0
    _started: float = field(default_factory=time.monotonic, repr=False)

    def counted(self, tables: Iterable[Table]) -> Iterator[Table]:
        """Rows on their way out, counted by their column `status`."""
        for rows in tables:
            for each in rows.column("status").value_counts().to_pylist():
                self.counts[each["values"]] += each["counts"]
            yield rows

    def finish(self, windows: int, bases: int) -> Self:
        """Take the time and what was read, and say it in one line: a warning where no row is ok."""
        self.windows, self.bases = windows, bases
        self.seconds = time.monotonic() - self._started
        nothing = bool(self.counts) and not self.counts["ok"]
        logger.log(
            logging.WARNING if nothing else logging.INFO,
            format_summary(self.counts, self.windows, self.bases, self.seconds, self.output, unit=self.unit),
        )
        return self
