"""Position-wise feed-forward layers: one SwiGLU, or a mixture of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from janusdna.nn.norm import RMSNorm
from janusdna.nn.readout import Readout
from janusdna.ops.backends import Kernels

__all__ = ["MixtureOfExperts", "Routing", "SwiGLU"]


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)), no biases; the rows of gate and up are one matrix, gate first.

    Source: Shazeer, arXiv 2002.05202.
    """

    def __init__(self, *, hidden_size: int, intermediate_size: int, kernels: Kernels) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(hidden_size, 2 * intermediate_size, bias=False)
        self.down_proj = nn.Linear(intermediate_size, hidden_size, bias=False)
        self.kernels = kernels

    def forward(self, x: Tensor) -> Tensor:
        """(..., d) in and out."""
        out: Tensor
        if self.kernels.gated is not None and torch.is_grad_enabled():
            out = self.kernels.gated(x, self.gate_up_proj.weight, self.down_proj.weight)
        else:
            out = self.down_proj(self.kernels.swiglu(self.gate_up_proj(x)))
        return out

    def add(self, h: Tensor, norm: RMSNorm) -> tuple[Tensor, None]:
        """What it makes of normed rows on top of h, (..., d), and no routing."""
        if (passes := self.kernels.passes) is None:
            return h + self(norm(h)), None
        matrices = self.gate_up_proj.weight, self.down_proj.weight
        return passes.add_swiglu(h, norm.weight, norm.eps, *matrices), None


class Routing(NamedTuple):
    """What a router decided, for the load-balancing loss.

    Attributes:
        probabilities: (tokens, E), float32 or float64.
        choices: (tokens, experts a token), the best first.
    """

    probabilities: Tensor
    choices: Tensor


class MixtureOfExperts(nn.Module):
    """Each token goes through its best experts, weighted by the router's softmax over all of them.

    The weights are not renormalised and no token is dropped.

    Source: Fedus et al., arXiv 2101.03961; sizes as in Jamba, arXiv 2403.19887.
    """

    def __init__(
        self,
        *,
        hidden_size: int,
        intermediate_size: int,
        num_experts: int,
        experts_per_token: int,
        kernels: Kernels,
    ) -> None:
        super().__init__()
        self.experts_per_token = experts_per_token
        self.router = Readout(hidden_size, num_experts, bias=False)
        self.gate_up_proj = nn.Parameter(torch.empty(num_experts, 2 * intermediate_size, hidden_size))
        self.down_proj = nn.Parameter(torch.empty(num_experts, hidden_size, intermediate_size))
        self.kernels = kernels

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """(B, T, d) in and out, and the routing of its B * T tokens."""
        tokens = x.flatten(0, -2)
        mixed, probabilities, choices = self.kernels.mixture(
            tokens, self.router(tokens), self.gate_up_proj, self.down_proj, self.experts_per_token
        )
        return mixed.view_as(x), Routing(probabilities, choices)

    def add(self, h: Tensor, norm: RMSNorm) -> tuple[Tensor, Routing]:
        """What it makes of normed rows on top of h, (B, T, d), and their routing."""
        if (passes := self.kernels.passes) is None:
            mixed, routing = self(norm(h))
            return h + mixed, routing
        matrices = self.router.weight, self.gate_up_proj, self.down_proj
        out, *routed = passes.add_mixture(h, norm.weight, norm.eps, *matrices, self.experts_per_token)
        return out, Routing(*routed)
