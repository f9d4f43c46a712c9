"""Where backgrounds are kept: beside a model, or in the cache; and which of them fits a run."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from janusdna.bundled import bundled_folder
from janusdna.cache import cache_folder
from janusdna_cli.backgrounds.background import Background, Conditions, read_background
from janusdna_cli.errors import InputError

__all__ = ["fitting", "kept_backgrounds", "named_background", "place_to_keep"]

_PREFIX, _SUFFIX = "background-", ".json"

_log = logging.getLogger(__name__)


def place_to_keep(folder: Path, sha256: str, conditions: Conditions) -> Path:
    """Where a new background goes: beside the model, or in the cache where it cannot, or where pip keeps it.

    Args:
        folder: The model's.
        sha256: Of its weights.
        conditions: How alleles are read.
    """
    is_good = folder != bundled_folder() and os.access(folder, os.W_OK | os.X_OK)
    return (folder if is_good else _in_cache(sha256)) / f"{_PREFIX}{conditions.stem}{_SUFFIX}"


def kept_backgrounds(folder: Path, sha256: str) -> Iterator[Background]:
    """Those of a model, its user's own first; what is broken is skipped with a warning.

    Args:
        folder: The model's.
        sha256: Of its weights.
    """
    for place in (_in_cache(sha256), folder):
        for path in sorted(place.glob(f"{_PREFIX}*{_SUFFIX}")):
            try:
                found = read_background(path)
            except InputError as error:
                _log.warning("%s", error)
                continue
            if found.model.get("sha256") == sha256:
                yield found


def fitting(folder: Path, model: str, sha256: str, conditions: Conditions) -> Background | None:
    """The background of a model that was made as a run reads; one line where there are only others.

    Args:
        folder: The model's.
        model: Its name.
        sha256: Of its weights.
        conditions: How the run reads.
    """
    others = []
    for each in kept_backgrounds(folder, sha256):
        if each.conditions == conditions:
            return each
        others.append(each)
    if others:
        _log.info(
            "no percentiles: the background of %s is of %s, this run of %s: `janusdna calibrate` makes one",
            model, " and ".join(str(each.conditions) for each in others), conditions,
        )  # fmt: skip
    return None


def named_background(path: str, model: str, sha256: str, conditions: Conditions) -> Background:
    """The background of a file, for a model and a way of reading.

    Raises:
        InputError: It cannot be read, or is of another model or another way of reading.
    """
    found = read_background(path)
    if found.model.get("sha256") != sha256:
        of = f"{found.model.get('name')} (sha256 {str(found.model.get('sha256'))[:12]}...)"
        raise InputError(
            f"--background {path}: is of the model {of}, expected one of {model} ({sha256[:12]}...): "
            "make it with `janusdna calibrate`"
        )
    if found.conditions != conditions:
        raise InputError(
            f"--background {path}: is of {found.conditions}, expected {conditions}: pass the same"
        )
    return found


def _in_cache(sha256: str) -> Path:
    return cache_folder() / "backgrounds" / sha256
