"""Muon, an optimiser of matrices: it steps along the momentum with all its directions made equally long."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Muon"]

_ITERATIONS = 5
_COEFFICIENTS = 3.4445, -4.7750, 2.0315
_TINY = 1e-7
# A matrix of r x c moves about as far as with AdamW if its step is sqrt(max(r, c)) times this.
_AS_LONG_AS_ADAMW = 0.2


class Muon(torch.optim.Optimizer):
    """Of matrices (rows, columns) and stacks of them (..., rows, columns), each for itself.

    PyTorch's own takes no stacks, as the weights of experts are, and goes from matrix to matrix.

    Args:
        params: As any optimiser of PyTorch takes.
        lr: Learning rate, of the size of AdamW's.
        momentum: Of the gradients, Nesterov's.
        weight_decay: As AdamW's.

    Source: Jordan et al., https://kellerjordan.github.io/posts/muon; Liu et al., arXiv 2502.16982,
    for weight decay and the length of a step.
    """

    def __init__(self, params: Any, *, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move the parameters along their `grad`."""
        for group in self.param_groups:
            for alike in _by_shape(group["params"]):
                self._step(alike, group["lr"], group["momentum"], group["weight_decay"])

    def _step(self, alike: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        """Move parameters whose matrices have one shape, all at once."""
        rows, columns = alike[0].shape[-2:]
        directions = []
        for parameter in alike:
            state, gradient = self.state[parameter], parameter.grad
            assert gradient is not None  # what is trained has one
            if not state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            buffer = state["momentum_buffer"].mul_(momentum).add_(gradient)
            directions.append(gradient.add(buffer, alpha=momentum).reshape(-1, rows, columns))
        updates = _orthogonalised(torch.cat(directions)).split([len(one) for one in directions])
        length = lr * _AS_LONG_AS_ADAMW * math.sqrt(max(rows, columns))
        for parameter, update in zip(alike, updates, strict=True):
            parameter.mul_(1 - lr * weight_decay).sub_(update.reshape(parameter.shape), alpha=length)


def _by_shape(parameters: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    alike = defaultdict(list)
    for parameter in parameters:
        alike[parameter.shape[-2:]].append(parameter)
    return alike.values()


def _orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices (n, rows, columns) with their singular values brought to about 1, by Newton-Schulz."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x: Tensor = matrices.transpose(-2, -1) if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + _TINY)
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        squared = x @ x.mT
        x = a * x + (b * squared + c * squared @ squared) @ x
    return x.transpose(-2, -1) if tall else x
