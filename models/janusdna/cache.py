"""The user's cache folder: one rule of place for all that is kept between runs."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

__all__ = ["cache_folder", "model_folder"]

_NAME = re.compile(r"\w[\w.+-]*")


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/janusdna`, else `~/.cache/janusdna`; it need not exist."""
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "janusdna"
    try:
        return Path.home() / ".cache" / "janusdna"
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / "janusdna"


def model_folder(name: str) -> Path | None:
    """Where a pulled model of this name is kept, if it is; None for what is a path and no name."""
    return cache_folder() / "models" / name if _NAME.fullmatch(name) else None
