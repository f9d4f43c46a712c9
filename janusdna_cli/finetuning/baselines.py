"""What stands beside a fine-tuned model: linear models of frozen embeddings, and of short words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from janusdna.labels import LabelKind
from janusdna_cli.finetuning.data import LabelledData, Trial
from janusdna_cli.finetuning.linear import fit_linear
from janusdna_cli.finetuning.results import Told
from janusdna_cli.labelled.eqtl import DISTANCE
from janusdna_cli.labelled.splitting import Places

__all__ = ["distances", "told_linearly"]

# Fits of more would take longer than what they stand beside.
_MOST = 20_000

logger = logging.getLogger(__name__)


def distances(data: LabelledData) -> npt.NDArray[np.float64] | None:
    """Logarithms of the distances between genes and variants, (n, 1); None where items are no such pairs."""
    found = [item.columns.get(DISTANCE) for item in data.items]
    return None if None in found else np.log1p(np.array(found, np.float64))[:, None]


def told_linearly(
    method: str, features: Any, data: LabelledData, trials: Sequence[Trial], notes: list[str]
) -> list[Told]:
    """What a linear model of some features tells, fitted to the training part of each trial.

    Args:
        method: What it is called.
        features: Of all sequences, (n, width).
        data: The sequences.
        trials: Of the run; those that share a training part share a model.
        notes: Gets what a reader of the report should know.
    """
    kind: LabelKind = data.encoding.kind
    told: list[Told] = []
    before: dict[bytes, list[Told]] = {}
    for trial in trials:
        key = b"|".join(places.tobytes() for places in trial.split.parts().values())
        if key not in before:
            train = _some(trial.split.train, trial.seed)
            if len(train) < len(trial.split.train):
                notes.append(
                    f"{method}, {trial.name}: fitted to {len(train):,} of the {len(trial.split.train):,} "
                    "sequences to train on, drawn at random."
                )
            fitted = fit_linear(
                kind, features[train], data.labels(train), outputs=len(data.encoding.names), seed=trial.seed
            )
            if not fitted.converged:
                notes.append(f"{method}, {trial.name}: the fit had not converged when it was ended.")
            logger.debug("%s, %s: strengths %s", method, trial.name, fitted.strengths)
            before[key] = [
                Told(method, trial, part, places, fitted.values(features[places]))
                for part, places in trial.split.parts().items()
                if part != "train" and len(places)
            ]
        told += [Told(method, trial, one.part, one.places, one.values) for one in before[key]]
    return told


def _some(places: Places, seed: int) -> Places:
    """At most so many of them, in their order."""
    if len(places) <= _MOST:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, _MOST, replace=False))
