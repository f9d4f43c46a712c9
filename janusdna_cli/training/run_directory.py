"""The folder of a pretraining run: what it was started with, how it went, and where it can go on.

    config.json               settings, network, genome
    intervals.bed             what is trained on, what is held out
    metrics.jsonl             a line a step, a line a validation; events.out.tfevents.* for TensorBoard
    checkpoints/step-N/       config.json, model.safetensors: a model; optimizer.safetensors, progress.json
    model/                    the best model so far: what --model takes

What is there under its name is complete: everything is written aside and renamed.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from janusdna.checkpoint import Checkpoint, read_json, read_native, read_tensors, save, write_tensors
from janusdna.errors import CheckpointError
from janusdna_cli.errors import InputError
from janusdna_cli.training.metrics import METRICS_FILE

__all__ = ["Progress", "RunDirectory", "Saved"]

_OPTIMIZER, _PROGRESS = "optimizer.safetensors", "progress.json"
_OWN = (METRICS_FILE, "config.json", "intervals.bed", "checkpoints", "model")

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
        best_bits_per_base: What was found there.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    validated: int | None = None
    best_step: int | None = None
    best_bits_per_base: float | None = None


@dataclass(frozen=True)
class Saved:
    """What a run can go on from."""

    path: Path
    progress: Progress
    model: Checkpoint
    optimizer: dict[str, Tensor]


class RunDirectory:
    """A run's folder.

    Args:
        path: Made when something is first written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = path / "model"
        self.metrics = path / METRICS_FILE
        self.intervals = path / "intervals.bed"
        self._checkpoints = path / "checkpoints"

    def holds_a_run(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "config.json").exists()

    def clear(self) -> None:
        """Remove a run, and nothing else that lies beside it."""
        for name in _OWN:
            place = self.path / name
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        for events in self.path.glob("events.out.tfevents.*"):
            events.unlink()

    def write_config(self, config: dict[str, Any]) -> None:
        """Write `config.json`.

        Raises:
            InputError: If that is not possible.
        """
        with self._written("config.json"):
            self.path.mkdir(parents=True, exist_ok=True)
            aside = self.path / ".config.json"
            aside.write_text(json.dumps(config, indent=2) + "\n", "utf-8")
            aside.replace(self.path / "config.json")

    def read_config(self) -> dict[str, Any]:
        """What `write_config` wrote."""
        return read_json(self.path / "config.json")

    def save_checkpoint(
        self, progress: Progress, model: Checkpoint, optimizer: dict[str, Tensor], *, keep: int
    ) -> Path:
        """Write a checkpoint, then remove the oldest ones beyond `keep`.

        Raises:
            InputError: If it cannot be written; the ones before are still there.
        """
        name = f"step-{progress.step}"
        aside = self._checkpoints / f".{name}"
        with self._written(f"the checkpoint of step {progress.step}"):
            shutil.rmtree(aside, ignore_errors=True)
            try:
                save(model, aside)
                write_tensors(optimizer, aside / _OPTIMIZER)
                (aside / _PROGRESS).write_text(json.dumps(dataclasses.asdict(progress)) + "\n", "utf-8")
                shutil.rmtree(self._checkpoints / name, ignore_errors=True)
                aside.rename(self._checkpoints / name)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        for _, path in self._steps()[:-keep]:
            shutil.rmtree(path, ignore_errors=True)
        return self._checkpoints / name

    def save_model(self, model: Checkpoint) -> None:
        """Write the best model so far.

        Raises:
            InputError: If it cannot be written.
        """
        with self._written(str(self.model)):
            save(model, self.model)

    def newest(self) -> Saved | None:
        """What to go on from: the newest checkpoint that can be read; None where there is none."""
        for _, path in reversed(self._steps()):
            try:
                progress = Progress(**read_json(path / _PROGRESS))
                return Saved(path, progress, read_native(path), read_tensors(path / _OPTIMIZER))
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
