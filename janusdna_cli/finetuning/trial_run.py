"""One training of a run: from its beginning, or from where it stands, to the answers of its best model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from janusdna.config import ModelConfig
from janusdna.finetuning import LabelLoss
from janusdna.labels import LabelTask
from janusdna.nn.labelled import LabelledNetwork
from janusdna_cli.finetuning.batches import Dataset, Feeding
from janusdna_cli.finetuning.data import LabelledData, Trial
from janusdna_cli.finetuning.label_task import LabelTraining
from janusdna_cli.finetuning.networks import Networks
from janusdna_cli.finetuning.results import Told, values_of
from janusdna_cli.finetuning.saved import SavedLabelled, read_labelled
from janusdna_cli.finetuning.settings import FinetuneSettings
from janusdna_cli.training.beginning import Description, begun
from janusdna_cli.training.loop import LoopSettings, TrainingLoop
from janusdna_cli.training.memory import lanes, needs_recomputing
from janusdna_cli.training.run_directory import RunDirectory

__all__ = ["Outcome", "TrialRuns", "described"]


class Outcome(NamedTuple):
    """What a trial came to.

    Attributes:
        model: The folder of its best model.
        score: By which that was chosen, lower is better; None without a validation.
        told: Of the best model, for each part but the one that it learned from.
    """

    model: Path
    score: float | None
    told: list[Told]


def described(
    settings: FinetuneSettings,
    data: LabelledData,
    config: ModelConfig,
    trial: Trial | None = None,
    steps: int | None = None,
) -> Description:
    """What a training is started with, or a run of several: which seeds that has may change."""
    bound = settings.binding()
    del bound["seeds"]
    return Description(
        bound if trial is None else bound | {"trial": trial.name},
        {"sequences": len(data.items), "digest": data.digest},
        config.to_dict(),
        data_name="data",
        other_data="set of sequences and labels",
        facts={"input": Path(settings.input).name} | ({} if steps is None else {"steps": steps}),
    )


@dataclass(frozen=True)
class TrialRuns:
    """What the trainings of a run have in common.

    Attributes:
        settings: Of the run.
        networks: That read its sequences.
        stopped: Whether the run should end.
    """

    settings: FinetuneSettings
    networks: Networks
    stopped: Callable[[], bool]

    def run(
        self, trial: Trial, folder: RunDirectory, name: str, method: str, *, from_scratch: bool
    ) -> Outcome:
        """Train, and read what was not learned from with the best model.

        Args:
            trial: Which.
            folder: Of its run.
            name: What its model is called.
            method: What its answers are called.
            from_scratch: Whether it begins with untrained weights.
        """
        settings, networks = self.settings, self.networks
        ranks, data = networks.ranks, networks.data
        task = networks.task(trial, head=settings.head)
        train = data.dataset(task, trial.split.train, weigh=settings.class_weights)
        valid = data.dataset(task, trial.split.valid)
        feeding = self._feeding(task, trial.seed)
        each = feeding.steps_of(len(train))
        saved = begun(
            folder,
            described(settings, data, networks.start.config, trial, each * settings.epochs),
            ranks,
            resume=settings.resume,
            overwrite=settings.overwrite,
            read_model=read_labelled,
        )
        network = networks.network(task, trial.seed, from_scratch=from_scratch)
        if saved is not None:
            _load(network, saved.model)
        loss = LabelLoss(network, task, part=settings.train, aux=self._aux, compute_dtype=networks.dtype)
        network.backbone.recompute(self._recomputes(train, feeding))
        facts = {"trained": True, "labels": Path(settings.input).name}
        facts |= {"init": None if from_scratch else networks.start.name}
        labels = LabelTraining(loss, task, train, valid, feeding, ranks, name, facts, settings.metric)
        recipe = settings.recipe(each * settings.epochs)
        due = self._due(each, validates=len(valid) > 0)
        progress = TrainingLoop(labels, recipe, due, folder, ranks, self.stopped, saved).run()
        ranks.meet()  # the first has written the best model
        _load(network, read_labelled(folder.model))
        told = []
        for part, places in trial.split.parts().items():
            if part != "train" and len(places):
                found = networks.answers(network, task, places, self.proceed)
                told.append(Told(method, trial, part, places, values_of(task, found.outputs), found.outputs))
        score = progress.best_score
        return Outcome(folder.model, None if score is None or math.isinf(score) else score, told)

    @property
    def _aux(self) -> float:
        aux = self.settings.aux
        return self.networks.start.config.router_aux_loss_coef if aux is None else aux

    def proceed(self) -> None:
        """Between batches, which every process has a different number of, one alone may end."""
        if self.networks.ranks.count == 1 and self.stopped():
            raise KeyboardInterrupt

    def _feeding(self, task: LabelTask, seed: int) -> Feeding:
        return Feeding(
            size=self.settings.batch,
            most_bases=self.networks.most_bases,
            seed=seed,
            turns=task.strands == "test",
            rank=self.networks.ranks.rank,
            ranks=self.networks.ranks.count,
            lanes=lanes(self.networks.ranks.device),
        )

    def _recomputes(self, train: Dataset, feeding: Feeding) -> bool:
        settings, networks = self.settings, self.networks
        if settings.recompute != "auto":
            return settings.recompute == "on"
        device = networks.ranks.device
        longest = max((sum(train.lengths(place)) for place in range(len(train))), default=0)
        at_once = max(longest, feeding.most_bases) * lanes(device)
        return needs_recomputing(networks.start.config, at_once, device, networks.dtype)

    def _due(self, each: int, *, validates: bool) -> LoopSettings:
        settings = self.settings
        return LoopSettings(
            valid_every=each if validates else 0,
            checkpoint_every=settings.checkpoint_every,
            keep=settings.keep,
            keeps_best=not settings.last_epoch,
            patience=None if settings.patience is None else settings.patience * each,
            quiet=settings.quiet,
        )


def _load(network: LabelledNetwork, saved: SavedLabelled) -> None:
    """Give a network the weights that were saved."""
    tensors = {f"backbone.{name}": tensor for name, tensor in saved.backbone.tensors.items()} | saved.head
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(tensors[name])
