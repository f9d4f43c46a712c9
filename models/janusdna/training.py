"""A network in training: micro-batches in, one step of the optimiser, and what it looked like.

A step's loss is the mean over all the positions that count in it, whichever process has them and however
they are cut into micro-batches; the load-balancing loss is a mean over micro-batches, by windows.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from janusdna import tokens
from janusdna.errors import TrainingError
from janusdna.muon import Muon
from janusdna.nn.model import JanusDNA
from janusdna.nn.prediction import Prediction
from janusdna.objectives import SEES, Example, Objective, router_loss, surprisal
from janusdna.ops.cpu.threads import side_by_side

__all__ = ["OPTIMIZERS", "Optimizer", "Recipe", "Report", "Trainer"]

Optimizer = Literal["adamw", "muon"]
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)

_TINY = 1e-30
_QUANTITIES = {torch.optim.AdamW: ("exp_avg", "exp_avg_sq", "step"), Muon: ("momentum_buffer",)}
_NO_DECAY = (".bias", "norm.weight", ".A_log", ".D")
# Rows for tokens, bases or experts, taps of single channels, and a rank of two: none for Muon.
_NO_MATRICES = ("embedding.weight", "head.weight", "router.weight", "conv.weight", "dt_proj.weight")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the weights move.

    Attributes:
        max_steps: Steps in all.
        optimizer: "adamw", or "muon" for the matrices and AdamW for the rest.
        lr: Learning rate at the top.
        warmup: Share of the steps in which it rises to there, in a straight line.
        warmup_lr: Where it starts.
        min_lr: Where it ends, along a cosine.
        beta1, beta2, eps: Of AdamW.
        momentum: Of Muon.
        weight_decay: Of all weights but those of norms, biases, A_log and D.
        clip: Longest gradient; longer ones are shortened to it.

    Source: Duan et al., arXiv 2505.17257, appendix; it has AdamW alone.
    """

    max_steps: int = 10_000
    optimizer: Optimizer = "adamw"
    lr: float = 8e-3
    warmup: float = 0.1
    warmup_lr: float = 1e-6
    min_lr: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    momentum: float = 0.95
    weight_decay: float = 0.1
    clip: float = 1.0

    def lr_at(self, step: int) -> float:
        """The learning rate of a step, 1 to max_steps."""
        rising = round(self.warmup * self.max_steps)
        if step <= rising:
            return self.warmup_lr + (self.lr - self.warmup_lr) * step / rising
        along = (step - rising) / max(1, self.max_steps - rising)
        return self.min_lr + (self.lr - self.min_lr) * (1 + math.cos(math.pi * along)) / 2


@dataclass(frozen=True)
class Report:
    """What was seen of some windows, as means over the positions that count.

    Attributes:
        loss: Weighted cross-entropy over the vocabulary, in nats.
        bits_per_base: Cross-entropy over A, C, G and T alone.
        accuracy: Share of positions whose likeliest base is the true one.
        aux_loss: The load-balancing loss, times its coefficient.
        counted: Positions.
        windows: Windows, each strand for itself.
        usage: Share of the tokens' choices that each expert has, (streams, layers with experts, E).
        gradient_norm: Before it is clipped; None where there is no gradient.
    """

    loss: float
    bits_per_base: float
    accuracy: float
    aux_loss: float
    counted: int
    windows: int
    usage: list[list[list[float]]]
    gradient_norm: float | None = None


class _Totals(NamedTuple):
    """Of the whole step, in all processes: the sum of all weights, and windows."""

    weight: float
    windows: float


class Trainer:
    """A network with its optimiser.

    Args:
        network: Its weights are trained in place; all of one dtype.
        recipe: How.
        objective: What for.
        compute_dtype: What products are computed in: the weights' own, or bfloat16 by autocast.
        lanes: Micro-batches computed side by side, on a CPU.
        total: Adds up a tensor over all processes, in place.
    """

    def __init__(
        self,
        network: JanusDNA,
        recipe: Recipe,
        objective: Objective = "janus",
        *,
        compute_dtype: torch.dtype = torch.float32,
        lanes: int = 1,
        total: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    ) -> None:
        self.network = network.train()
        self.recipe = recipe
        self.objective = objective
        self.device = network.embedding.weight.device
        self._compute_dtype = compute_dtype
        self._lanes = lanes
        self._total = total
        self._named = _trained(network, objective)
        weights = list(self._named.values())
        sizes = [parameter.numel() for parameter in weights]
        # One piece, so that adding it up over processes is one call.
        self._gradient = torch.zeros(sum(sizes), dtype=weights[0].dtype, device=self.device)
        parts = zip(weights, self._gradient.split(sizes), strict=True)
        self._parts = [part.view_as(parameter) for parameter, part in parts]
        for parameter, part in zip(weights, self._parts, strict=True):
            parameter.grad = part
        self._optimisers = _optimisers(self._named, recipe)

    def step(
        self, micro_batches: Sequence[Example], number: int, proceed: Callable[[], None] = lambda: None
    ) -> Report:
        """Move the weights by one step.

        Args:
            micro_batches: This process's share of the step.
            number: Of the step, 1 to max_steps.
            proceed: Called between micro-batches; what it raises ends the step with nothing changed.

        Raises:
            TrainingError: If loss or gradient is not finite; nothing is changed.
        """
        sums, totals = self.gradient(micro_batches, proceed)
        norm = float(self._gradient.norm())
        report = self._report(sums, norm)
        if not (math.isfinite(report.loss) and math.isfinite(norm)):
            raise self._not_finite(micro_batches, report, totals)
        self._gradient *= min(1.0, self.recipe.clip / (norm + 1e-6))
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.recipe.lr_at(number)
            optimiser.step()
        return report

    def gradient(
        self, micro_batches: Sequence[Example], proceed: Callable[[], None] = lambda: None
    ) -> tuple[Tensor, _Totals]:
        """Leave the step's gradient in the parameters' `grad`, unclipped, and give what was seen."""
        totals = self._totals(micro_batches)
        self._gradient.zero_()
        sums = self._no_sums()
        for at in range(0, len(micro_batches), self._lanes):
            proceed()
            group = micro_batches[at : at + self._lanes]
            for gradients, seen in side_by_side(*(partial(self._backward, one, totals) for one in group)):
                torch._foreach_add_(self._parts, list(gradients))
                sums += seen
        self._total(self._gradient)
        return sums, totals

    @torch.no_grad()
    def evaluate(
        self, micro_batches: Iterable[Example], proceed: Callable[[], None] = lambda: None
    ) -> Report:
        """What the network makes of windows that it does not learn from; arguments as of `step`."""
        sums = self._no_sums()
        waiting = iter(micro_batches)
        while group := list(islice(waiting, self._lanes)):
            proceed()
            for _, seen in side_by_side(*(partial(self._read, one, _Totals(1, 1)) for one in group)):
                sums += seen
        return self._report(sums)

    def state(self) -> dict[str, Tensor]:
        """The optimisers', by parameter and quantity."""
        return {
            f"{name}.{quantity}": tensor
            for name, parameter in self._named.items()
            for optimiser in self._optimisers
            for quantity, tensor in optimiser.state.get(parameter, {}).items()
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` gave.

        Raises:
            KeyError: If something is missing.
        """
        names = {parameter: name for name, parameter in self._named.items()}
        for optimiser in self._optimisers:
            quantities = _QUANTITIES[type(optimiser)]
            for parameter in (p for group in optimiser.param_groups for p in group["params"]):
                optimiser.state[parameter] = {
                    # AdamW counts on the CPU, whatever the device.
                    quantity: saved.clone() if quantity == "step" else saved.to(parameter, copy=True)
                    for quantity in quantities
                    for saved in [state[f"{names[parameter]}.{quantity}"]]
                }

    def _totals(self, micro_batches: Sequence[Example]) -> _Totals:
        weight = sum(float(one.weights.sum(dtype=np.float64)) for one in micro_batches)
        windows = sum(len(one.inputs) for one in micro_batches)
        sums = torch.tensor([weight, windows], dtype=torch.float64, device=self.device)
        return _Totals(*self._total(sums).tolist())

    def _backward(self, example: Example, totals: _Totals) -> tuple[Sequence[Tensor], Tensor]:
        """The gradients of a micro-batch's share of the loss, and its sums; halved where memory is short."""
        try:
            loss, sums = self._read(example, totals)
            return torch.autograd.grad(loss, list(self._named.values())), sums
        except torch.OutOfMemoryError:
            if len(example.inputs) == 1:
                raise
        logger.warning("too little memory for %d windows at once: halved", len(example.inputs))
        torch.cuda.empty_cache()
        middle = len(example.inputs) // 2
        one, first = self._backward(example.part(0, middle), totals)
        other, second = self._backward(example.part(middle, len(example.inputs)), totals)
        return torch._foreach_add(list(one), list(other)), first + second

    def _read(self, example: Example, totals: _Totals) -> tuple[Tensor, Tensor]:
        """A micro-batch's share of the step's loss, and its sums."""
        inputs, labels, weights = (torch.from_numpy(part).to(self.device) for part in example)
        with self._autocast():
            prediction = self.network(inputs.long(), sees=SEES[self.objective])
        losses = surprisal(prediction.logits, labels.long()) * weights
        aux = router_loss(prediction, self.network.config.router_aux_loss_coef) * len(inputs)
        own = (losses.sum(dtype=torch.float64), weights.sum(dtype=torch.float64), aux.double())
        sums = torch.stack([*(found.detach() for found in own), aux.new_tensor(len(inputs)).double()])
        sums = torch.cat((sums, _seen(prediction, labels.long(), weights > 0), self._usage(prediction)))
        return losses.sum() / max(totals.weight, _TINY) + aux / totals.windows, sums

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._compute_dtype == self.network.head.weight.dtype:
            return nullcontext()
        return torch.autocast(self.device.type, self._compute_dtype)

    def _usage(self, prediction: Prediction) -> Tensor:
        """How often each expert was chosen, (streams * layers * E,)."""
        config = self.network.config
        shape = 2, len(config.expert_layers), config.num_experts
        counts = torch.zeros(shape, dtype=torch.float64, device=self.device)
        for stream, routings in enumerate(prediction.routings):
            for layer, routing in enumerate(routings):
                chosen = routing.choices.flatten()
                counts[stream, layer].index_add_(0, chosen, counts.new_ones(1).expand(len(chosen)))
        return counts.flatten()

    def _no_sums(self) -> Tensor:
        config = self.network.config
        size = 7 + 2 * len(config.expert_layers) * config.num_experts
        return torch.zeros(size, dtype=torch.float64, device=self.device)

    def _report(self, sums: Tensor, norm: float | None = None) -> Report:
        config = self.network.config
        loss, weight, aux, windows, surprise, correct, counted, *usage = self._total(sums).tolist()
        choices = np.array(usage).reshape(2, len(config.expert_layers), config.num_experts)
        shares = choices / np.maximum(choices.sum(axis=2, keepdims=True), 1)
        return Report(
            loss=loss / max(weight, _TINY),
            bits_per_base=surprise / max(counted, 1) / math.log(2),
            accuracy=correct / max(counted, 1),
            aux_loss=aux / max(windows, 1),
            counted=int(counted),
            windows=int(windows),
            usage=shares.tolist(),
            gradient_norm=norm,
        )

    def _not_finite(self, micro_batches: Sequence[Example], report: Report, totals: _Totals) -> TrainingError:
        """The error of a step, which names the windows that make it on their own."""
        windows = [one.part(row, row + 1) for one in micro_batches for row in range(len(one.inputs))]
        causes = []
        for index, window in enumerate(windows):
            gradients, sums = self._backward(window, totals)
            if not all(bool(torch.isfinite(found).all()) for found in (*gradients, sums)):
                causes.append(index)
        found = f"the loss is {report.loss}, the gradient's length {report.gradient_norm}"
        return TrainingError(found, tuple(causes))


def _trained(network: JanusDNA, objective: Objective) -> dict[str, torch.nn.Parameter]:
    """The parameters that an objective moves: a causal one has no use for the backward stream."""
    idle = "backward_stream." if objective == "clm" else "-"
    return {name: p for name, p in network.named_parameters() if not name.startswith(idle)}


def _optimisers(named: dict[str, torch.nn.Parameter], recipe: Recipe) -> list[torch.optim.Optimizer]:
    by_muon = {
        name for name in named if recipe.optimizer == "muon" and not name.endswith(_NO_DECAY + _NO_MATRICES)
    }
    still = [parameter for name, parameter in named.items() if name.endswith(_NO_DECAY)]
    decaying = [p for name, p in named.items() if not name.endswith(_NO_DECAY) and name not in by_muon]
    groups = [
        {"params": decaying, "weight_decay": recipe.weight_decay},
        {"params": still, "weight_decay": 0.0},
    ]
    betas = recipe.beta1, recipe.beta2
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, recipe.lr, betas, recipe.eps)]
    if by_muon:
        matrices = [named[name] for name in named if name in by_muon]
        muon = Muon(matrices, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
        found.append(muon)
    return found


def _seen(prediction: Prediction, labels: Tensor, counted: Tensor) -> Tensor:
    """Over the counted positions: sum of -log p among A, C, G and T, right guesses, positions."""
    bases = prediction.logits.detach()[..., tokens.ACGT].float()
    # Labels that do not count may be no base.
    true = (labels - tokens.A).clamp(0, 3)
    each = surprisal(bases, true), bases.argmax(-1) == true, counted
    return torch.stack([(found * counted).sum(dtype=torch.float64) for found in each])
