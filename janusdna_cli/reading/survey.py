"""An input that is read through before the work on it: its rows counted, a broken line found in time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["is_seekable", "unannounced"]


def is_seekable(source: str) -> bool:
    """Whether an input can be read a second time: a file, and no pipe."""
    return source != "-" and Path(source).is_file()


@contextmanager
def unannounced() -> Iterator[None]:
    """Read an input ahead of the work, without the notes on it that the work itself will give."""
    notes = logging.getLogger("janusdna")
    level = notes.level
    notes.setLevel(logging.ERROR)
    try:
        yield
    finally:
        notes.setLevel(level)
