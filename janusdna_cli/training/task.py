"""What a training loop asks of whatever it trains: batches, a loss, validations, a model to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol

from janusdna.training import BatchT, Loss, ReportT, Trainer
from janusdna_cli.training.metrics import Line
from janusdna_cli.training.run_directory import Progress

__all__ = ["Found", "Step", "Task", "Validation"]


@dataclass(frozen=True)
class Step(Generic[BatchT]):
    """What this process has to do in a step.

    Attributes:
        number: 1 and up.
        micro_batches: This process's.
        places: Where each of their examples comes from, as an error names it.
        bases: Of the whole step, in all processes.
    """

    number: int
    micro_batches: Sequence[BatchT]
    places: Sequence[str]
    bases: int


@dataclass(frozen=True)
class Found:
    """What was found in a step.

    Attributes:
        fields: Of the line in `metrics.jsonl`, beside those of every training.
        text: The same for the eye.
    """

    fields: Line
    text: str


@dataclass(frozen=True)
class Validation(Found):
    """What was found in a validation.

    Attributes:
        score: Whatever tells which model is the best; lower is better.
    """

    score: float


class Task(Protocol[BatchT, ReportT]):
    """Something to train.

    Steps and validations are the same whenever they are asked for, so that a run that goes on comes to the
    weights of one that was never stopped.
    """

    @property
    def loss(self) -> Loss[BatchT, ReportT]:
        """What is trained, and what for."""

    def steps(self, first: int, last: int) -> Iterator[Step[BatchT]]:
        """This process's share of the steps from `first` to `last`."""

    def found(self, report: ReportT) -> Found:
        """What is written of a step."""

    def validate(self, trainer: Trainer[BatchT, ReportT], proceed: Callable[[], None]) -> Validation:
        """What the network makes of what it does not learn from; all processes come to the same.

        Args:
            trainer: Its `evaluate` reads batches, where the report of the loss is what is asked for.
            proceed: To be called between batches; what it raises ends the validation.
        """

    def score_text(self, score: float) -> str:
        """A validation's score as a person reads it."""

    def write_model(self, folder: Path, progress: Progress) -> None:
        """Write what `--model` takes into a folder, made if it is missing."""
