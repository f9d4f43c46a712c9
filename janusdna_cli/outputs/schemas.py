"""What the tables of every task share in their columns.

`start end` are 0-based half-open, `pos` is 1-based, here as everywhere.
"""

from typing import Any

import pyarrow as pa

__all__ = ["SCHEMA_VERSION", "described"]

# Raised when a column changes its meaning.
SCHEMA_VERSION = 1


def described(name: str, kind: Any, meaning: str, *, nullable: bool = True) -> Any:
    """A column that says what it holds, in its field metadata."""
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})
