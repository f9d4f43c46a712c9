"""The networks of a run, as they begin, and what they make of its sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from janusdna.bundled import bundled_folder
from janusdna.checkpoint import Checkpoint
from janusdna.labels import Head, LabelTask
from janusdna.nn.labelled import LabelledNetwork
from janusdna.reader import open_checkpoint, resolve_dtype
from janusdna_cli.finetuning.data import LabelledData, Trial, read_data
from janusdna_cli.finetuning.label_settings import LabelSettings
from janusdna_cli.finetuning.label_task import Answered, answered
from janusdna_cli.labelled.splitting import Places
from janusdna_cli.reading.settings import FALLBACK_WINDOW
from janusdna_cli.runtime.ranks import Ranks
from janusdna_cli.training.memory import micro_batch_bases
from janusdna_cli.training.network import network_to_train

__all__ = ["Networks"]


@dataclass(frozen=True)
class Networks:
    """Networks that read the sequences of a run.

    Attributes:
        settings: Of the run.
        start: Weights to begin with, or whose sizes are taken.
        data: The sequences.
        ranks: This process and the others.
        window: Bases around a variant.
    """

    settings: LabelSettings
    start: Checkpoint
    data: LabelledData
    ranks: Ranks
    window: int

    @classmethod
    def of(cls, settings: LabelSettings, ranks: Ranks) -> Networks:
        """Of some settings, with all that they name read.

        Raises:
            InputError: If the sequences are not what they should be.
            CheckpointError: If the model cannot be used.
        """
        start = open_checkpoint(bundled_folder() if settings.model is None else settings.model)
        window = settings.window or start.config.trained_length or FALLBACK_WINDOW
        data = ranks.first_alone(lambda: read_data(settings, window))
        return cls(settings, start, data, ranks, window)

    @property
    def identity(self) -> dict[str, Any]:
        """Of the weights."""
        return {"name": self.start.name, "sha256": self.start.sha256}

    @property
    def dtype(self) -> torch.dtype:
        """What products are computed in."""
        return resolve_dtype(self.settings.dtype, self.ranks.device)

    @property
    def most_bases(self) -> int:
        """Bases that go through a network at once."""
        settings = self.settings
        return settings.batch_bp or micro_batch_bases(self.start.config, self.ranks.device, self.dtype)

    def task(self, trial: Trial, *, head: Head = "linear") -> LabelTask:
        """What is told, a regression in units of what is learned from."""
        settings, encoding = self.settings, self.data.encoding
        mean = spread = np.array([])
        if encoding.kind == "regression":
            labels = self.data.labels(trial.split.train).astype(np.float64)
            mean, spread = labels.mean(axis=0), labels.std(axis=0)
            spread[spread == 0] = 1.0
        return LabelTask(
            kind=encoding.kind,
            labels=encoding.names,
            pool=settings.pool,
            head=head,
            strands=settings.rc,
            pad_to=settings.pad_to,
            window=self.window if self.data.alternatives is not None else None,
            mean=tuple(map(float, mean)),
            spread=tuple(map(float, spread)),
        )

    def network(self, task: LabelTask, seed: int, *, from_scratch: bool) -> LabelledNetwork:
        """A network with weights in float32, its head untrained."""
        source, device = None if from_scratch else self.start, self.ranks.device
        backbone = network_to_train(
            self.start.config,
            source,
            device=device,
            dtype=self.dtype,
            kernels=self.settings.kernels,
            seed=seed,
        )
        return LabelledNetwork(backbone, task).float().to(device)

    def answers(
        self, network: LabelledNetwork, task: LabelTask, places: Places, proceed: Callable[[], None]
    ) -> Answered:
        """What a network makes of the sequences at some places."""
        data = self.data.dataset(task, places)
        return answered(network, task, data, self.most_bases, self.ranks, proceed, self.dtype)

    def embeddings(self, trial: Trial, proceed: Callable[[], None]) -> npt.NDArray[np.float64]:
        """What a head would read of all sequences, of the weights that trainings begin with, (n, width)."""
        task = self.task(trial)
        network = self.network(task, trial.seed, from_scratch=False)
        return self.answers(network, task, np.arange(len(self.data.items)), proceed).pooled
