"""The user's cache folder: one rule of place for all that is kept between runs."""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = ["cache_folder", "is_own", "model_folder"]

_NAME = re.compile(r"\w[\w.+-]*")

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/janusdna`, else `~/.cache/janusdna`; it need not exist.

    For a user without a home it is a folder of theirs among the temporary files.
    """
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "janusdna"
    try:
        return Path.home() / ".cache" / "janusdna"
    except RuntimeError:  # as in some containers
        return _among_temporary_files()


def model_folder(name: str) -> Path | None:
    """Where a pulled model of this name is kept, if it is; None for what is a path and no name."""
    return cache_folder() / "models" / name if _NAME.fullmatch(name) else None


def is_own(folder: Path) -> bool:
    """Whether this is a folder, and no link to one, that this user owns and nobody else can write."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return own and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@cache
def _among_temporary_files() -> Path:
    """Everybody can write there: weights and indices that somebody else has put there are not used."""
    kept = Path(tempfile.gettempdir()) / f"janusdna-{os.getuid()}"
    with suppress(FileExistsError):
        kept.mkdir(mode=0o700)
    if is_own(kept):
        return kept
    logger.warning(
        "%s is not this user's own: nothing is kept after this run; set XDG_CACHE_HOME to a folder that is",
        kept,
    )
    private = tempfile.mkdtemp(prefix="janusdna-")
    atexit.register(shutil.rmtree, private, ignore_errors=True)
    return Path(private)
