"""How many rows there are, and of which status."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

__all__ = ["STATUS", "RowCount"]

STATUS = "status"


class RowCount:
    """Counts rows.

    Attributes:
        total: Rows.
        statuses: Rows of each status; empty where they have none.
    """

    def __init__(self) -> None:
        self.total = 0
        self.statuses: Counter[str] = Counter()

    def add_column(self, statuses: Any) -> None:
        """Rows of a table, by its Arrow column of statuses."""
        for found in statuses.value_counts():
            self.statuses[found["values"].as_py()] += found["counts"].as_py()
        self.total += len(statuses)

    def add(self, statuses: Iterable[str]) -> None:
        """Rows, by their statuses."""
        self.statuses.update(statuses)
        self.total = self.statuses.total()

    def told(self) -> str:
        """For a person."""
        found = ", ".join(f"{count:,} {status}" for status, count in self.statuses.most_common())
        return f"{self.total:,}" + (f": {found}" if found else "")

    def record(self) -> dict[str, Any]:
        """For a program: the most frequent status first; none where rows have none."""
        by_status = dict(self.statuses.most_common()) if self.statuses or not self.total else None
        return {"rows": self.total, "rows_by_status": by_status}
