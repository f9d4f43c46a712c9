"""Labels to learn, as a task of the training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from janusdna.finetuning import LabelledBatch, LabelLoss, LabelReport, tell
from janusdna.labels import LabelTask
from janusdna.nn.labelled import LabelledNetwork
from janusdna.objectives import autocast
from janusdna.training import Trainer
from janusdna_cli.finetuning.batches import Dataset, Feeding, in_order
from janusdna_cli.finetuning.metrics import LOWER_IS_BETTER, Predicted, chosen_by, measured
from janusdna_cli.finetuning.results import in_units, values_of
from janusdna_cli.finetuning.saved import save_labelled
from janusdna_cli.runtime.ranks import Ranks
from janusdna_cli.training.run_directory import Progress
from janusdna_cli.training.task import Found, Step, Validation

__all__ = ["Answered", "LabelTraining", "answered"]


# Of epochs with the same metric, as where all sequences are told right, that of the lower loss is the best.
_OF_EQUALS = 1e-6


class LabelTraining:
    """A network that learns labels.

    Args:
        loss: What is trained.
        task: What it tells.
        train: What it learns from.
        valid: What tells the best epoch; may be empty.
        feeding: How sequences are put into steps.
        ranks: This process and the others.
        name: What the model is called.
        facts: Of where it came from.
        metric: By which the best epoch is chosen; None for the usual one.
    """

    def __init__(
        self,
        loss: LabelLoss,
        task: LabelTask,
        train: Dataset,
        valid: Dataset,
        feeding: Feeding,
        ranks: Ranks,
        name: str,
        facts: dict[str, object],
        metric: str | None = None,
    ) -> None:
        self.loss = loss
        self._task, self._train, self._valid = task, train, valid
        self._feeding, self._ranks = feeding, ranks
        self._name, self._facts = name, facts
        self._chosen_by = chosen_by(task.kind, valid.labels, metric)

    def steps(self, first: int, last: int) -> Iterator[Step[LabelledBatch]]:
        """Sequences in an order that the seed decides, anew in each epoch."""
        return self._feeding.steps(self._train, first, last)

    def found(self, report: LabelReport) -> Found:
        """What is written of a step."""
        fields = {"loss": report.loss, "accuracy": report.accuracy, "aux_loss": report.aux_loss}
        right = "" if report.accuracy is None else f", accuracy {report.accuracy:.3f}"
        return Found(fields, f"loss {report.loss:.4f}{right}")

    def validate(
        self, trainer: Trainer[LabelledBatch, LabelReport], proceed: Callable[[], None]
    ) -> Validation:
        """What the network tells of the sequences that are held out."""
        loss, most_bases = self.loss, self._feeding.most_bases
        found = answered(
            loss.network, self._task, self._valid, most_bases, self._ranks, proceed, loss.compute_dtype
        )
        labels = in_units(self._task, self._valid.labels)
        values = measured(self._task.kind, Predicted(values_of(self._task, found.outputs), labels))
        outputs, wanted = torch.from_numpy(found.outputs), torch.from_numpy(self._valid.labels)
        lost = loss.losses(outputs, wanted.to(outputs.dtype) if wanted.is_floating_point() else wanted)
        values = {"loss": float(lost.mean())} | values
        value = values[self._chosen_by]
        fields = {f"valid_{name}": None if math.isnan(value) else value for name, value in values.items()}
        score = value if self._chosen_by in LOWER_IS_BETTER else -value
        score = math.inf if math.isnan(value) else score + _OF_EQUALS * min(values["loss"], 1.0)
        return Validation(fields, f"{self._chosen_by} {value:.4f}, loss {values['loss']:.4f}", score)

    def score_text(self, score: float) -> str:
        """The metric that a model is chosen by."""
        value = score if self._chosen_by in LOWER_IS_BETTER else -score
        return f"{self._chosen_by} {value:.4f}"

    def write_model(self, folder: Path, progress: Progress) -> None:
        """Write backbone, head and task."""
        facts = self._facts | {"step": progress.step}
        save_labelled(self.loss.network, self._task, self._name, facts, folder)


class Answered(NamedTuple):
    """What a network makes of n sequences.

    Attributes:
        pooled: What its head reads, (n, width).
        outputs: What that gives, (n, outputs).
    """

    pooled: npt.NDArray[np.float64]
    outputs: npt.NDArray[np.float64]


@torch.no_grad()
def answered(
    network: LabelledNetwork,
    task: LabelTask,
    data: Dataset,
    most_bases: int,
    ranks: Ranks,
    proceed: Callable[[], None] = lambda: None,
    dtype: torch.dtype = torch.float32,
) -> Answered:
    """A network's answers to all sequences; all processes come to the same.

    Args:
        network: Whose.
        task: What it tells.
        data: The sequences.
        most_bases: Bases that go through it at once.
        ranks: This process and the others.
        proceed: To be called between batches.
        dtype: What products are computed in.
    """
    weight = network.head.out.weight
    outputs = torch.zeros(len(data), task.outputs, dtype=torch.float64, device=weight.device)
    pooled = torch.zeros(len(data), network.width, dtype=torch.float64, device=weight.device)
    groups = list(in_order(data, range(len(data)), most_bases))
    was_training = network.training
    network.eval()
    try:
        for places in groups[ranks.rank :: ranks.count]:
            proceed()
            with autocast(network, dtype):
                told = tell(network, data.batch(places), both=task.strands != "none")
            outputs[places], pooled[places] = told.logits.double(), told.hidden.double()
    finally:
        network.train(was_training)
    return Answered(ranks.total(pooled).cpu().numpy(), ranks.total(outputs).cpu().numpy())
