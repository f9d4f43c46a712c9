"""The Mamba mixer: a selective state space model behind a gate."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from janusdna.nn.norm import RMSNorm
from janusdna.ops.backends import Kernels

__all__ = ["GatedProjections", "MambaMixer"]


class GatedProjections(nn.Module):
    """The projections into and out of a mixer, which the two streams share."""

    def __init__(self, *, hidden_size: int, inner_size: int) -> None:
        super().__init__()
        self.in_proj = nn.Linear(hidden_size, 2 * inner_size, bias=False)
        self.out_proj = nn.Linear(inner_size, hidden_size, bias=False)


class MambaMixer(nn.Module):
    """Mamba-1 with a norm on each of dt, B and C.

    Args:
        projections: in_proj and out_proj, shared with the other stream's mixer of the same layer.
        inner_size: d_in.
        state_size: N.
        conv_kernel: Taps of the depthwise convolution.
        dt_rank: Rank of the step size's projection.
        eps: For the norms.
        kernels: Who computes the scan and the convolution.
        reverse: Whether the sequence is walked from its end.

    Source: Gu and Dao, arXiv 2312.00752; the inner norms from Jamba, arXiv 2403.19887.
    """

    def __init__(
        self,
        projections: GatedProjections,
        *,
        inner_size: int,
        state_size: int,
        conv_kernel: int,
        dt_rank: int,
        eps: float,
        kernels: Kernels,
        reverse: bool,
    ) -> None:
        super().__init__()
        self.projections = projections
        self.conv = nn.Conv1d(inner_size, inner_size, conv_kernel, groups=inner_size)
        self.x_proj = nn.Linear(inner_size, dt_rank + 2 * state_size, bias=False)
        self.dt_norm = RMSNorm(dt_rank, eps=eps)
        self.B_norm = RMSNorm(state_size, eps=eps)
        self.C_norm = RMSNorm(state_size, eps=eps)
        self.dt_proj = nn.Linear(dt_rank, inner_size)
        self.A_log = nn.Parameter(torch.arange(1.0, state_size + 1).log().repeat(inner_size, 1))
        self.D = nn.Parameter(torch.ones(inner_size))
        self.kernels = kernels
        self.reverse = reverse

    def forward(self, h: Tensor) -> Tensor:
        """(B, T, d) in and out."""
        x, gate = self.projections.in_proj(h).chunk(2, dim=-1)
        x = self.kernels.conv(x, self.conv.weight[:, 0], self.conv.bias, reverse=self.reverse)
        x = functional.silu(x)
        sizes = [norm.weight.shape[0] for norm in (self.dt_norm, self.B_norm, self.C_norm)]
        dt, B, C = self.x_proj(x).split(sizes, dim=-1)
        delta = functional.softplus(self.dt_proj(self.dt_norm(dt)))
        A = -self.A_log.exp()
        y, _ = self.kernels.scan(x, delta, A, self.B_norm(B), self.C_norm(C), self.D, reverse=self.reverse)
        out: Tensor = self.projections.out_proj(y * functional.silu(gate))
        return out
