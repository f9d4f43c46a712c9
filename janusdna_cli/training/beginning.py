"""The start of a training in a folder: anew, or from where the run in it stands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

import janusdna
from janusdna_cli.errors import InputError
from janusdna_cli.runtime.ranks import Ranks
from janusdna_cli.training.run_directory import RunDirectory, Saved

__all__ = ["Description", "begun"]

_ANOTHER = "pass another -o"

Model = TypeVar("Model")


class Description:
    """What a run is started with.

    Args:
        settings: What a resumption must have in common with it, by field.
        data: What is learned from.
        model: The network.
        data_name: What `data` is called, such as "genome".
        other_data: What another one is, in words, such as "genome or other intervals".
        facts: Others that are told and not compared.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        data: Mapping[str, Any],
        model: Mapping[str, Any],
        *,
        data_name: str,
        other_data: str,
        facts: Mapping[str, Any],
    ) -> None:
        self.compared = {data_name: other_data, "model": "network"}
        self.config = {
            "version": janusdna.__version__,
            "pytorch": torch.__version__,
            "command": sys.argv,
            **facts,
            "settings": dict(settings),
            data_name: dict(data),
            "model": dict(model),
        }

    def check_same(self, folder: RunDirectory) -> None:
        """Whether a run in the folder was started as this one.

        Raises:
            InputError: If not, with the first difference, or if that cannot be told.
        """
        before = folder.read_config(("settings", *self.compared))
        now = json.loads(json.dumps(self.config))
        holds = f"{folder.path}: holds a run"
        for name, value in now["settings"].items():
            was = before["settings"].get(name, value)
            if was != value:
                option = "--" + name.replace("_", "-")
                raise InputError(
                    f"{holds} that was started with {option} {was}, found {option} {value}; "
                    "pass the options it was started with, or another -o"
                )
        for part, other in self.compared.items():
            if before[part] != now[part]:
                found = f"found {_short(now[part])}, expected {_short(before[part])}"
                raise InputError(f"{holds} on another {other}: {found}; {_ANOTHER}")


def begun(
    folder: RunDirectory,
    description: Description,
    ranks: Ranks,
    *,
    resume: bool,
    overwrite: bool,
    read_model: Callable[[Path], Model],
    write_beside: Callable[[], None] = lambda: None,
) -> Saved[Model] | None:
    """Make the run's folder, or find where the run in it stands; all processes must ask, the first one first.

    Args:
        folder: The run's.
        description: What it is started with.
        ranks: This process and the others.
        resume: Whether a run that is there goes on.
        overwrite: Whether one that is there is removed.
        read_model: Reads what was written as a model.
        write_beside: Writes what else belongs into a folder that is made.

    Returns:
        Where it goes on; None at the beginning.

    Raises:
        InputError: If a run is there and neither is wanted, or it was started with something else.
    """

    def begin() -> Saved[Model] | None:
        if folder.holds_a_run() and resume:
            description.check_same(folder)
            return folder.newest(read_model)
        if ranks.is_first:
            if folder.holds_a_run() and not overwrite:
                raise InputError(
                    f"{folder.path}: holds a run; pass --resume to go on, --overwrite to start anew"
                )
            if not resume:
                folder.clear()
            folder.write_config(description.config)
            write_beside()
        return None

    return ranks.first_alone(begin)


def _short(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {str(value)[:12]}" for name, value in facts.items())
