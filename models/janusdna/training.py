"""A network in training: micro-batches in, one step of the optimiser, and what it looked like.

What is learned from them is the business of a `Loss`. A step's loss is a mean over all that counts in it,
whichever process has it and however it is cut into micro-batches.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from janusdna.errors import TrainingError
from janusdna.muon import Muon
from janusdna.ops.cpu.threads import side_by_side
from janusdna.parameter_groups import optimisers
from janusdna.recipe import Recipe

__all__ = ["Batch", "BatchT", "Loss", "Report", "ReportT", "Trainer"]

_QUANTITIES = {torch.optim.AdamW: ("exp_avg", "exp_avg_sq", "step"), Muon: ("momentum_buffer",)}

logger = logging.getLogger(__name__)


class Batch(Protocol):
    """Examples that go through the network together."""

    @property
    def size(self) -> int:
        """How many there are."""

    def part(self, start: int, end: int) -> Self:
        """The examples from `start` to `end`."""


class Report(Protocol):
    """What was seen of some micro-batches."""

    @property
    def loss(self) -> float:
        """Over all of them."""

    @property
    def gradient_norm(self) -> float | None:
        """Before it is clipped; None where there is no gradient."""


BatchT = TypeVar("BatchT", bound=Batch)
ReportT = TypeVar("ReportT", bound=Report)
BatchT_contra = TypeVar("BatchT_contra", bound=Batch, contravariant=True)
ReportT_co = TypeVar("ReportT_co", bound=Report, covariant=True)


class Loss(Protocol[BatchT_contra, ReportT_co]):
    """What steps make smaller, and what is told of it: all from sums over micro-batches and processes."""

    @property
    def network(self) -> nn.Module:
        """What holds all parameters, a head that was added included; its weights are trained in place."""

    def trained(self) -> Mapping[str, nn.Parameter]:
        """The parameters that are moved, all of one dtype, by name; every batch's loss depends on each."""

    def weigh(self, micro_batches: Sequence[BatchT_contra]) -> tuple[float, ...]:
        """What the loss of a step is divided by: the part of these micro-batches, to be added up."""

    @property
    def seen(self) -> int:
        """How many sums `read` gives."""

    def read(self, batch: BatchT_contra, totals: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        """A batch's share of a step's loss, and what was seen.

        Args:
            batch: Of the step.
            totals: `weigh` of the whole step.

        Returns:
            The share, a scalar with a gradient, and sums over the batch's examples, (seen,) float64.
        """

    def report(self, sums: Sequence[float], gradient_norm: float | None) -> ReportT_co:
        """What was seen, of the sums over all; the gradient's length as a `Report` has it."""


class Trainer(Generic[BatchT, ReportT]):
    """A network with its optimisers.

    Args:
        loss: What is trained, and what for.
        recipe: How.
        lanes: Micro-batches computed side by side, on a CPU.
        total: Adds up a tensor over all processes, in place.
    """

    def __init__(
        self,
        loss: Loss[BatchT, ReportT],
        recipe: Recipe,
        *,
        lanes: int = 1,
        total: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    ) -> None:
        self.loss = loss
        self.recipe = recipe
        self._lanes = lanes
        self._total = total
        self._named = dict(loss.trained())
        weights = list(self._named.values())
        sizes = [parameter.numel() for parameter in weights]
        # One piece, so that adding it up over processes is one call.
        self._gradient = torch.zeros(sum(sizes), dtype=weights[0].dtype, device=weights[0].device)
        parts = zip(weights, self._gradient.split(sizes), strict=True)
        self._parts = [part.view_as(parameter) for parameter, part in parts]
        for parameter, part in zip(weights, self._parts, strict=True):
            parameter.grad = part
        self._optimisers = optimisers(loss.network, self._named, recipe)
        loss.network.train()

    def step(
        self, micro_batches: Sequence[BatchT], number: int, proceed: Callable[[], None] = lambda: None
    ) -> ReportT:
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
        self, micro_batches: Sequence[BatchT], proceed: Callable[[], None] = lambda: None
    ) -> tuple[Tensor, tuple[float, ...]]:
        """Leave the step's gradient in the parameters' `grad`, unclipped; give what was seen, and totals."""
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
        self, micro_batches: Iterable[BatchT], proceed: Callable[[], None] = lambda: None
    ) -> ReportT:
        """What the network makes of examples that it does not learn from; arguments as of `step`."""
        sums = self._no_sums()
        waiting = iter(micro_batches)
        self.loss.network.eval()
        try:
            while group := list(islice(waiting, self._lanes)):
                proceed()
                for _, seen in side_by_side(*(partial(self._read_alone, one) for one in group)):
                    sums += seen
        finally:
            self.loss.network.train()
        return self._report(sums, None)

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

    def _totals(self, micro_batches: Sequence[BatchT]) -> tuple[float, ...]:
        own = torch.tensor(self.loss.weigh(micro_batches), dtype=torch.float64, device=self._gradient.device)
        return tuple(self._total(own).tolist())

    def _backward(self, batch: BatchT, totals: tuple[float, ...]) -> tuple[Sequence[Tensor], Tensor]:
        """The gradients of a micro-batch's share of the loss, and its sums; halved where memory is short."""
        try:
            loss, sums = self.loss.read(batch, totals)
            return torch.autograd.grad(loss, list(self._named.values())), sums
        except torch.OutOfMemoryError:
            if batch.size == 1:
                raise
        logger.warning("too little memory for %d windows at once: halved", batch.size)
        torch.cuda.empty_cache()
        middle = batch.size // 2
        one, first = self._backward(batch.part(0, middle), totals)
        other, second = self._backward(batch.part(middle, batch.size), totals)
        return torch._foreach_add(list(one), list(other)), first + second

    def _read_alone(self, batch: BatchT) -> tuple[Tensor, Tensor]:
        return self.loss.read(batch, self.loss.weigh([batch]))

    def _no_sums(self) -> Tensor:
        return torch.zeros(self.loss.seen, dtype=torch.float64, device=self._gradient.device)

    def _report(self, sums: Tensor, gradient_norm: float | None) -> ReportT:
        return self.loss.report(self._total(sums).tolist(), gradient_norm)

    def _not_finite(
        self, micro_batches: Sequence[BatchT], report: ReportT, totals: tuple[float, ...]
    ) -> TrainingError:
        """The error of a step, which names the examples that make it on their own."""
        examples = [one.part(row, row + 1) for one in micro_batches for row in range(one.size)]
        causes = []
        for index, example in enumerate(examples):
            gradients, sums = self._backward(example, totals)
            if not all(bool(torch.isfinite(found).all()) for found in (*gradients, sums)):
                causes.append(index)
        found = f"the loss is {report.loss}, the gradient's length {report.gradient_norm}"
        return TrainingError(found, tuple(causes))
