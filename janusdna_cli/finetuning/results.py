"""What a method tells of a part of the sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from janusdna.labels import LabelTask
from janusdna_cli.finetuning.data import Trial
from janusdna_cli.labelled.splitting import Places

__all__ = ["DISTANCE", "FINETUNED", "KMERS", "PROBE", "SCRATCH", "Told", "in_units", "values_of"]

FINETUNED, SCRATCH = "fine-tuned", "from scratch"
PROBE, KMERS, DISTANCE = "probe", "k-mers", "distance"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """Predictions.

    Attributes:
        method: Whose.
        trial: In which.
        part: Of the split: "valid" or "test".
        places: Of the sequences among all.
        values: Shares of classes or labels, or numbers in the units of a regression's labels, (n, outputs).
        outputs: What a network gave for them, (n, outputs); None where there is none.
    """

    method: str
    trial: Trial
    part: str
    places: Places
    values: Floats
    outputs: Floats | None = None


def values_of(task: LabelTask, outputs: Floats) -> Floats:
    """Shares, or numbers in the units of the labels, of a network's outputs, (n, outputs)."""
    if task.kind == "regression":
        return in_units(task, outputs)
    if task.kind == "multilabel":
        return 1 / (1 + np.exp(-outputs))
    shifted: Floats = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return shares


def in_units(task: LabelTask, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers in the units of a regression's labels, of those that it is trained on; others as they are."""
    return numbers * np.array(task.spread) + np.array(task.mean) if task.kind == "regression" else numbers
