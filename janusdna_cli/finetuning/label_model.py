"""A fine-tuned model that reads, and the batches in which it does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from janusdna.finetuning import LabelledBatch, tell
from janusdna.labels import LabelTask
from janusdna.nn.labelled import LabelledNetwork
from janusdna.reader import Model
from janusdna_cli.finetuning.results import values_of
from janusdna_cli.finetuning.saved import read_head
from janusdna_cli.reading.opening import open_model
from janusdna_cli.reading.settings import ModelSettings
from janusdna_cli.reading.window_reader import fitting_batch_bp, is_out_of_memory

__all__ = ["Answers", "LabelModel", "LabelReader", "Pair"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.uint8]
# A sequence, and its alternative where the task is one of pairs.
Pair = tuple[Ids, Ids | None]

logger = logging.getLogger(__name__)


class LabelModel:
    """A backbone, its head, and what they tell.

    Args:
        settings: Which model, and how it computes.

    Attributes:
        backbone: As every command reads it.
        task: What is told.
        sha256: Of the head's weights.

    Raises:
        CheckpointError: If it cannot be used, or tells no labels.
    """

    def __init__(self, settings: ModelSettings) -> None:
        saved = read_head(Path(settings.model or ""))
        self.task: LabelTask = saved.task
        self.sha256 = saved.sha256
        self.backbone: Model = open_model(settings, with_head=True)
        self.network = LabelledNetwork(self.backbone.module, self.task)
        weight = self.backbone.module.head.weight
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                if name in saved.tensors:
                    parameter.copy_(saved.tensors[name])
        self.network.pooling.to(weight.device, weight.dtype)
        self.network.head.to(weight.device, weight.dtype)
        self.network.eval()


class Answers(NamedTuple):
    """What a model tells of n sequences.

    Attributes:
        values: As `Told` has them, (n, outputs).
        outputs: Likewise.
    """

    values: Floats
    outputs: Floats


class LabelReader:
    """Reads sequences in batches of equal length: an answer depends on nothing else in its batch.

    Args:
        model: Who reads.
        batch_bp: Bases in one batch; None fits it to the device.
        on_batch: Called with the windows and the bases of each batch that is done.

    Attributes:
        windows: Sequences read so far, each strand for itself.
        bases: Bases read so far.
    """

    def __init__(self, model: LabelModel, batch_bp: int | None, on_batch: Callable[[int, int], None]) -> None:
        self.windows = 0
        self.bases = 0
        self._model = model
        self._both = model.task.strands != "none"
        self._batch_bp = batch_bp or fitting_batch_bp(model.backbone)
        self._on_batch = on_batch

    def tell(self, sequences: Sequence[Pair]) -> Answers:
        """What the model tells of sequences, in their order.

        Raises:
            MemoryError: If a single sequence does not fit.
        """
        outputs = np.zeros((len(sequences), self._model.task.outputs))
        by_length: dict[tuple[int, int], list[int]] = {}
        for place, (ids, other) in enumerate(sequences):
            by_length.setdefault((len(ids), 0 if other is None else len(other)), []).append(place)
        for lengths, places in by_length.items():
            self._read(sequences, places, sum(lengths), outputs)
        return Answers(values_of(self._model.task, outputs), outputs)

    def _read(self, sequences: Sequence[Pair], places: list[int], length: int, outputs: Floats) -> None:
        done = 0
        while done < len(places):
            some = places[done : done + max(1, self._batch_bp // length)]
            try:
                outputs[some] = self._outputs([sequences[place] for place in some])
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if len(some) == 1:
                    raise MemoryError(f"a sequence of {length:,} bases does not fit") from error
                self._batch_bp = len(some) // 2 * length
                logger.warning("out of memory: going on with batches of %d bases", self._batch_bp)
                continue
            done += len(some)
            windows = len(some) * (2 if self._both else 1)
            self.windows += windows
            self.bases += windows * length
            self._on_batch(windows, windows * length)

    @torch.inference_mode()
    def _outputs(self, pairs: Sequence[Pair]) -> Floats:
        others = [other for _, other in pairs if other is not None]
        nothing = np.zeros(len(pairs), np.float32)
        batch = LabelledBatch(
            np.stack([ids for ids, _ in pairs]), nothing, nothing, np.stack(others) if others else None
        )
        told = tell(self._model.network, batch, both=self._both)
        found: Floats = told.logits.double().cpu().numpy()
        return found
