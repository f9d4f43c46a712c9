"""Folders of training runs, whatever they train."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from janusdna.errors import CheckpointError
from janusdna.json_object import read_json

__all__ = ["Resumption", "config_of", "holds_training_run", "learns_labels"]

_CONFIG, _CHECKPOINTS, _SETTINGS = "config.json", "checkpoints", "settings"
_LABELLED = "data"


class Resumption(NamedTuple):
    """Whether a run is over, or else after which step it goes on; neither where it cannot."""

    finished: bool
    after: int | None
    told: str


def holds_training_run(folder: Path) -> bool:
    """Whether a run was started here, also where its `config.json` is lost."""
    return (folder / _CHECKPOINTS).is_dir() or _SETTINGS in config_of(folder)


def learns_labels(folder: Path) -> bool:
    """Whether what was started here is a fine-tuning or a probe."""
    return _LABELLED in config_of(folder)


def config_of(folder: Path) -> dict[str, Any]:
    """What the run was started with; empty where that is lost or damaged."""
    try:
        return read_json(folder / _CONFIG)
    except CheckpointError:
        return {}
