"""The loss of fine-tuning, and what is told of it.

A step's loss is the mean over its sequences, by their weights; the load-balancing loss is one, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from janusdna import tokens
from janusdna.labels import LabelTask
from janusdna.nn.labelled import LabelledNetwork
from janusdna.nn.prediction import Prediction
from janusdna.objectives import autocast, router_loss

__all__ = ["LabelLoss", "LabelReport", "LabelledBatch", "tell", "trained_part"]

_TINY = 1e-30


class LabelledBatch(NamedTuple):
    """B sequences of one length with their labels.

    Attributes:
        ids: (B, T) uint8, of the strand that is to be read.
        labels: (B,) int64 of classes; (B, outputs) float32 of several labels, or of a regression in units of
            the task.
        weights: How much each counts, (B,) float32.
        alternative: (B, T') uint8, of a task of pairs.
    """

    ids: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.generic]
    weights: npt.NDArray[np.float32]
    alternative: npt.NDArray[np.uint8] | None = None

    @property
    def size(self) -> int:
        """Sequences."""
        return len(self.ids)

    def part(self, start: int, end: int) -> LabelledBatch:
        """The sequences from `start` to `end`."""
        there = slice(start, end)
        other = None if self.alternative is None else self.alternative[there]
        return LabelledBatch(self.ids[there], self.labels[there], self.weights[there], other)


@dataclass(frozen=True)
class LabelReport:
    """What was seen of some sequences.

    Attributes:
        loss: Mean over them by weight, in nats, or squared units of the task.
        aux_loss: The load-balancing loss, times its coefficient.
        accuracy: Share that is told right, of several labels one by one; None of a regression.
        sequences: How many.
        gradient_norm: Before it is clipped; None where there is no gradient.
    """

    loss: float
    aux_loss: float
    accuracy: float | None
    sequences: int
    gradient_norm: float | None = None


def trained_part(network: LabelledNetwork, part: str) -> dict[str, nn.Parameter]:
    """The parameters that are moved, by name; all others are frozen.

    Args:
        network: What holds them.
        part: "all", but for the head that predicts bases, which is not asked; "head" for the new one alone;
            "last:N" for the last N layers of both streams and all that follows.
    """
    layers = network.backbone.config.num_layers
    first = {"all": 0, "head": layers}.get(part)
    if first is None:
        first = max(0, layers - int(part.removeprefix("last:")))
    moved = [network.pooling, network.head]
    backbone = network.backbone
    if part != "head":
        moved += [backbone.fusion, backbone.final_norm, *([backbone.final_mlp] if backbone.final_mlp else [])]
        streams = (backbone.forward_stream, backbone.backward_stream)
        moved += [layer for stream in streams for layer in list(stream.layers)[first:]]
    if part == "all":
        moved.append(backbone.embedding)
    wanted = {parameter for module in moved for parameter in module.parameters()}
    for parameter in network.parameters():
        parameter.requires_grad_(parameter in wanted)
    return {name: parameter for name, parameter in network.named_parameters() if parameter in wanted}


class LabelLoss:
    """How well a network tells labels.

    Args:
        network: Whose weights, all of one dtype, are trained.
        task: What it tells.
        part: Of the network, as `trained_part` has it.
        aux: Weight of the load-balancing loss.
        compute_dtype: What products are computed in: the weights' own, or bfloat16 by autocast.
    """

    seen = 5

    def __init__(
        self,
        network: LabelledNetwork,
        task: LabelTask,
        *,
        part: str = "all",
        aux: float,
        compute_dtype: torch.dtype = torch.float32,
    ) -> None:
        self.network = network
        self.compute_dtype = compute_dtype
        self._task, self._aux = task, aux
        self._trained = trained_part(network, part)

    def trained(self) -> dict[str, nn.Parameter]:
        """Those of the part that is trained."""
        return self._trained

    def weigh(self, micro_batches: Sequence[LabelledBatch]) -> tuple[float, float]:
        """The sum of all weights, and sequences."""
        weight = sum(float(one.weights.sum(dtype=np.float64)) for one in micro_batches)
        return weight, sum(one.size for one in micro_batches)

    def read(self, batch: LabelledBatch, totals: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        """A micro-batch's share of the step's loss, and its sums."""
        weight, sequences = totals
        device = self.network.head.out.weight.device
        labels = torch.from_numpy(batch.labels).to(device)
        weights = torch.from_numpy(batch.weights).to(device)
        strands, is_training = self._task.strands, self.network.training
        both = strands == "both" or (strands != "none" and not is_training)
        with autocast(self.network, self.compute_dtype):
            told = tell(self.network, batch, both=both)
        outputs = told.logits.to(torch.promote_types(told.logits.dtype, torch.float32))
        losses = self.losses(outputs, labels) * weights
        aux = router_loss(told, self._aux) * batch.size
        own = (losses.sum(dtype=torch.float64), weights.sum(dtype=torch.float64), aux.double())
        counted = (aux.new_tensor(batch.size).double(), self._right(outputs.detach(), labels))
        sums = torch.stack([found.detach() for found in (*own, *counted)])
        return losses.sum() / max(weight, _TINY) + aux / sequences, sums

    def report(self, sums: Sequence[float], gradient_norm: float | None) -> LabelReport:
        """What was seen of the sequences that the sums are over."""
        loss, weight, aux, sequences, right = sums
        is_told = self._task.kind != "regression"
        return LabelReport(
            loss=loss / max(weight, _TINY),
            aux_loss=aux / max(sequences, 1),
            accuracy=right / max(sequences, 1) if is_told else None,
            sequences=int(sequences),
            gradient_norm=gradient_norm,
        )

    def losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Of each sequence, (B,), of the head's outputs (B, outputs) and labels as a batch has them."""
        if self._task.kind == "regression":
            return (outputs - labels).square().mean(dim=1)
        if self._task.kind == "multilabel":
            return functional.binary_cross_entropy_with_logits(
                outputs, labels.to(outputs), reduction="none"
            ).mean(1)
        return functional.cross_entropy(outputs, labels, reduction="none")

    def _right(self, outputs: Tensor, labels: Tensor) -> Tensor:
        if self._task.kind == "multilabel":
            return ((outputs > 0) == (labels > 0)).double().mean(dim=1).sum()
        if self._task.kind == "regression":
            return outputs.new_zeros((), dtype=torch.float64)
        return (outputs.argmax(dim=1) == labels).double().sum()


def tell(network: LabelledNetwork, batch: LabelledBatch, *, both: bool) -> Prediction:
    """What a network says of sequences, averaged over both strands or of the one that is given."""
    device = network.head.out.weight.device
    sides = [ids for ids in (batch.ids, batch.alternative) if ids is not None]

    def read(strand: Sequence[npt.NDArray[np.uint8]]) -> Prediction:
        prediction: Prediction = network(*(torch.from_numpy(ids).to(device).long() for ids in strand))
        return prediction

    one = read(sides)
    if not both:
        return one
    other = read([tokens.reverse_complement(ids) for ids in sides])
    routings = (one.routings[0] + other.routings[0], one.routings[1] + other.routings[1])
    return Prediction((one.hidden + other.hidden) / 2, (one.logits + other.logits) / 2, routings)
