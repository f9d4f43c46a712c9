"""The folder of a training run: what it was started with, how it went, and where it can go on.

    config.json               settings, network, what is learned from
    intervals.bed             what is trained on, what is held out
    metrics.jsonl             a line a step, a line a validation; events.out.tfevents.* for TensorBoard
    checkpoints/step-N/       config.json, model.safetensors: a model; optimizer.safetensors, progress.json
    model/                    the best model so far: what --model takes

What is there under its name is complete: everything is written aside and renamed, and a checkpoint
is on the disk before it has its name.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from safetensors import SafetensorError
from torch import Tensor

from janusdna.checkpoint import read_tensors, write_tensors
from janusdna.errors import CheckpointError
from janusdna.json_object import read_json
from janusdna_cli.errors import InputError
from janusdna_cli.training.metrics import METRICS_FILE

__all__ = ["Progress", "RunDirectory", "Saved"]

_OPTIMIZER, _PROGRESS = "optimizer.safetensors", "progress.json"
_CONFIG = "config.json"
_OWN = (METRICS_FILE, _CONFIG, "intervals.bed", "checkpoints", "model")

Model = TypeVar("Model")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        step: Steps made.
        tokens: Bases read in them.
        seconds: Time taken for them.
        validated: Step of the last validation.
        best_step: Step of the best one.
        best_score: What was found there; lower is better.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    validated: int | None = None
    best_step: int | None = None
    best_score: float | None = None


@dataclass(frozen=True)
class Saved(Generic[Model]):
    """What a run can go on from."""

    path: Path
    progress: Progress
    model: Model
    optimizer: dict[str, Tensor]


class RunDirectory:
    """A run's folder.

    Args:
        path: Made when something is first written.
        own: Names within it that are the run's, too.
    """

    def __init__(self, path: Path, own: Sequence[str] = ()) -> None:
        self.path = path
        self._own = (*_OWN, *own)
        self.model = path / "model"
        self.metrics = path / METRICS_FILE
        self.intervals = path / "intervals.bed"
        self._checkpoints = path / "checkpoints"

    @property
    def name(self) -> str:
        """What a model of this run is called."""
        return self.path.resolve().name.removesuffix(".janusdna-run")

    def holds_a_run(self) -> bool:
        """Whether a run was started here, also where its `config.json` is lost."""
        return (self.path / _CONFIG).exists() or bool(self._steps())

    def clear(self) -> None:
        """Remove a run, and nothing else that lies beside it."""
        for name in self._own:
            place = self.path / name
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        for events in self.path.glob("events.out.tfevents.*"):
            events.unlink()

    def write_config(self, config: dict[str, Any]) -> None:
        """Write `config.json`.

        Raises:
            InputError: If that is not possible.
        """
        with self._written(_CONFIG):
            self.path.mkdir(parents=True, exist_ok=True)
            aside = self.path / f".{_CONFIG}"
            aside.write_text(json.dumps(config, indent=2) + "\n", "utf-8")
            _sync(aside)
            aside.replace(self.path / _CONFIG)

    def read_config(self, parts: Iterable[str]) -> dict[str, Any]:
        """What `write_config` wrote.

        Args:
            parts: What must be there, each an object.

        Raises:
            InputError: If it is gone or damaged.
        """
        path = self.path / _CONFIG
        fix = "it says what the run was started with: put a copy back, or start anew with --overwrite"
        try:
            found = read_json(path)
        except CheckpointError as error:
            raise InputError(f"{error}; {fix}") from None
        for part in parts:
            if not isinstance(found.get(part), dict):
                raise InputError(f"{path}: found no {part} in it; {fix}")
        return found

    def save_checkpoint(
        self,
        progress: Progress,
        write_model: Callable[[Path], None],
        optimizer: dict[str, Tensor],
        *,
        keep: int,
    ) -> Path:
        """Write a checkpoint, then remove the oldest ones beyond `keep`.

        Args:
            progress: Where the run stands.
            write_model: Writes the model into a folder.
            optimizer: The optimisers' state.
            keep: Checkpoints.

        Raises:
            InputError: If it cannot be written; the ones before are still there.
        """
        name = f"step-{progress.step}"
        aside = self._checkpoints / f".{name}"
        with self._written(f"the checkpoint of step {progress.step}"):
            shutil.rmtree(aside, ignore_errors=True)
            try:
                write_model(aside)
                write_tensors(optimizer, aside / _OPTIMIZER)
                (aside / _PROGRESS).write_text(json.dumps(dataclasses.asdict(progress)) + "\n", "utf-8")
                for path in aside.rglob("*"):
                    _sync(path)
                shutil.rmtree(self._checkpoints / name, ignore_errors=True)
                aside.rename(self._checkpoints / name)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        for _, path in self._steps()[:-keep]:
            shutil.rmtree(path, ignore_errors=True)
        return self._checkpoints / name

    def save_model(self, write_model: Callable[[Path], None]) -> None:
        """Write the best model so far, as `save_checkpoint` does.

        Raises:
            InputError: If it cannot be written.
        """
        with self._written(str(self.model)):
            write_model(self.model)

    def newest(self, read_model: Callable[[Path], Model]) -> Saved[Model] | None:
        """What to go on from: the newest checkpoint that can be read; None where there is none.

        Args:
            read_model: Reads what was written as a model, and raises a CheckpointError where it cannot.
        """
        for _, path in reversed(self._steps()):
            try:
                progress = _read_progress(path / _PROGRESS)
                return Saved(path, progress, read_model(path), read_tensors(path / _OPTIMIZER))
            except (CheckpointError, SafetensorError, OSError, TypeError) as error:
                logger.warning("%s cannot be read and is passed over: %s", path, error)
        return None

    def _steps(self) -> list[tuple[int, Path]]:
        """The checkpoints, oldest first."""
        found = [(re.fullmatch(r"step-(\d+)", path.name), path) for path in self._checkpoints.glob("step-*")]
        return sorted((int(match[1]), path) for match, path in found if match is not None)

    @contextmanager
    def _written(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, SafetensorError) as error:
            steps = self._steps()
            last = f"the last good checkpoint is {steps[-1][1]}" if steps else "there is no checkpoint yet"
            fix = f"{last}; make room or mend the folder, and go on with --resume"
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{self.path}: {what} cannot be written: {reason}; {fix}") from error


def _read_progress(path: Path) -> Progress:
    fields = read_json(path)
    if "best_bits_per_base" in fields:  # as it was called when there was nothing but pretraining
        fields["best_score"] = fields.pop("best_bits_per_base")
    return Progress(**fields)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
