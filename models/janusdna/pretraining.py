"""The loss of pretraining, and what is told of it.

A step's loss is the mean over all the positions that count in it; the load-balancing loss is a mean over
micro-batches, by windows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from janusdna import tokens
from janusdna.nn.model import JanusDNA
from janusdna.nn.prediction import Prediction
from janusdna.objectives import SEES, Example, autocast, router_loss, surprisal
from janusdna.recipe import Objective

__all__ = ["PretrainingLoss", "PretrainingReport"]

_TINY = 1e-30


@dataclass(frozen=True)
class PretrainingReport:
    """What was seen of some windows, as means over the positions that count.

    Attributes:
        loss: Weighted cross-entropy over the vocabulary, in nats.
        bits_per_base: Cross-entropy over A, C, G and T alone.
        accuracy: Share of positions whose likeliest base is the true one.
        aux_loss: The load-balancing loss, times its coefficient.
        counted: Positions.
        windows: Windows, each strand for itself.
        usage: Share of the tokens' choices that each expert has, (streams, layers with experts, E).
        by_kind: Cross-entropy over A, C, G and T of each kind of base, in bits, and how many positions of it
            count; nothing where kinds are not told apart.
        gradient_norm: Before it is clipped; None where there is no gradient.
    """

    loss: float
    bits_per_base: float
    accuracy: float
    aux_loss: float
    counted: int
    windows: int
    usage: list[list[list[float]]]
    by_kind: list[tuple[float, int]]
    gradient_norm: float | None = None


class PretrainingLoss:
    """How well a network predicts bases.

    Args:
        network: Whose weights, all of one dtype, are trained.
        objective: What bases are predicted from.
        compute_dtype: What products are computed in: the weights' own, or bfloat16 by autocast.
        kinds: How many kinds of bases are told apart, in examples that have them.
    """

    def __init__(
        self,
        network: JanusDNA,
        objective: Objective = "janus",
        *,
        compute_dtype: torch.dtype = torch.float32,
        kinds: int = 0,
    ) -> None:
        self.network = network
        self._objective = objective
        self._compute_dtype = compute_dtype
        self._kinds = kinds
        config = network.config
        self._usage_shape = 2, len(config.expert_layers), config.num_experts
        self.seen = 7 + 2 * kinds + math.prod(self._usage_shape)

    def trained(self) -> dict[str, nn.Parameter]:
        """All but those that the objective has no use for: a causal one needs no backward stream."""
        idle: set[nn.Parameter] = set()
        if self._objective == "clm":
            idle = set(self.network.backward_stream.parameters())
            idle -= set(self.network.forward_stream.parameters())
        return {name: p for name, p in self.network.named_parameters() if p not in idle}

    def weigh(self, micro_batches: Sequence[Example]) -> tuple[float, float]:
        """The sum of all positions' weights, and windows."""
        weight = sum(float(one.weights.sum(dtype=np.float64)) for one in micro_batches)
        return weight, sum(one.size for one in micro_batches)

    def read(self, batch: Example, totals: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        """A micro-batch's share of the step's loss, and its sums."""
        weight, windows = totals
        device = self.network.embedding.weight.device
        inputs, labels, weights = (torch.from_numpy(part).to(device) for part in batch[:3])
        with autocast(self.network, self._compute_dtype):
            prediction = self.network(inputs.long(), sees=SEES[self._objective])
        losses = surprisal(prediction.logits, labels.long()) * weights
        aux = router_loss(prediction, self.network.config.router_aux_loss_coef) * batch.size
        own = (losses.sum(dtype=torch.float64), weights.sum(dtype=torch.float64), aux.double())
        sums = torch.stack([*(found.detach() for found in own), aux.new_tensor(batch.size).double()])
        surprise, right = _seen(prediction, labels.long())
        seen = _sums(weights > 0, surprise, right)
        sums = torch.cat((sums, seen, self._by_kind(batch, surprise), self._usage(prediction)))
        return losses.sum() / max(weight, _TINY) + aux / windows, sums

    def report(self, sums: Sequence[float], gradient_norm: float | None) -> PretrainingReport:
        """What was seen of the windows that the sums are over."""
        loss, weight, aux, windows, surprise, correct, counted, *rest = sums
        by_kind, usage = np.array(rest[: 2 * self._kinds]).reshape(2, -1), rest[2 * self._kinds :]
        choices = np.array(usage).reshape(self._usage_shape)
        shares = choices / np.maximum(choices.sum(axis=2, keepdims=True), 1)
        return PretrainingReport(
            loss=loss / max(weight, _TINY),
            bits_per_base=surprise / max(counted, 1) / math.log(2),
            accuracy=correct / max(counted, 1),
            aux_loss=aux / max(windows, 1),
            counted=int(counted),
            windows=int(windows),
            usage=shares.tolist(),
            by_kind=[(bits / max(n, 1) / math.log(2), int(n)) for bits, n in by_kind.T.tolist()],
            gradient_norm=gradient_norm,
        )

    def _by_kind(self, batch: Example, surprise: Tensor) -> Tensor:
        """Surprise over the counted positions of each kind, then how many they are, (2 * kinds,)."""
        sums = surprise.new_zeros((2, self._kinds), dtype=torch.float64)
        if batch.kinds is not None and self._kinds:
            counted = torch.from_numpy(batch.weights > 0).to(surprise.device)
            kinds = torch.from_numpy(batch.kinds).to(surprise.device).long()[counted]
            sums[0].index_add_(0, kinds, surprise[counted].double())
            sums[1].index_add_(0, kinds, sums.new_ones(1).expand(len(kinds)))
        return sums.flatten()

    def _usage(self, prediction: Prediction) -> Tensor:
        """How often each expert was chosen, (streams * layers * E,)."""
        counts = torch.zeros(self._usage_shape, dtype=torch.float64, device=prediction.logits.device)
        for stream, routings in enumerate(prediction.routings):
            for layer, routing in enumerate(routings):
                chosen = routing.choices.flatten()
                counts[stream, layer].index_add_(0, chosen, counts.new_ones(1).expand(len(chosen)))
        return counts.flatten()


def _seen(prediction: Prediction, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Of each position -log p among A, C, G and T, and whether the likeliest is the true one, (B, T) each."""
    bases = prediction.logits.detach()[..., tokens.ACGT].float()
    # Labels that do not count may be no base.
    true = (labels - tokens.A).clamp(0, 3)
    return surprisal(bases, true), bases.argmax(-1) == true


def _sums(counted: Tensor, *each: Tensor) -> Tensor:
    """Sums over the counted positions, and how many they are."""
    return torch.stack([(found * counted).sum(dtype=torch.float64) for found in (*each, counted)])
