"""The Mamba mixer: a selective state space model behind a gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from janusdna.nn.norm import RMSNorm
from janusdna.nn.readout import Readout
from janusdna.ops.backends import Kernels
from janusdna.ops.reference import MambaWeights, moved_tail

__all__ = ["GatedProjections", "MambaMixer", "MambaState"]


@dataclass
class MambaState:
    """What a Mamba mixer remembers of the rows walked so far.

    Attributes:
        tail: The last K - 1 inputs of the convolution, in sequence order, (B, K - 1, d_in).
        ssm: State of the recurrence, (B, d_in, N).
    """

    tail: Tensor
    ssm: Tensor

    def keep(self) -> MambaState:
        """What a later walk can start from: it holds on to no more of this one than itself."""
        return MambaState(self.tail.clone(), self.ssm)

    @classmethod
    def gather(cls, kept: Sequence[tuple[MambaState, int]], length: int) -> MambaState:
        """One batch of single sequences out of kept batches, each by its row there."""
        tails = [state.tail[row] for state, row in kept]
        return cls(torch.stack(tails), torch.stack([state.ssm[row] for state, row in kept]))


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
        conv_kernel: Taps K of the depthwise convolution.
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
        self.dt_norm = RMSNorm(dt_rank, eps=eps, kernels=kernels)
        self.B_norm = RMSNorm(state_size, eps=eps, kernels=kernels)
        self.C_norm = RMSNorm(state_size, eps=eps, kernels=kernels)
        self.dt_proj = Readout(dt_rank, inner_size)
        self.A_log = nn.Parameter(torch.empty(inner_size, state_size))
        self.D = nn.Parameter(torch.ones(inner_size))
        self.kernels = kernels
        self.reverse = reverse

    def begin(self, h: Tensor, length: int) -> MambaState:
        """The state before the first chunk of sequences of `length`, for chunks like h, (B, t, d)."""
        inner, states = self.A_log.shape
        tail = self.conv.weight.new_zeros(h.shape[0], self.conv.kernel_size[0] - 1, inner)
        return MambaState(tail, self.A_log.new_zeros(h.shape[0], inner, states))

    def forward(self, h: Tensor, state: MambaState | None = None) -> Tensor:
        """(B, t, d) in and out; `state` is moved on past this chunk."""
        into_x, into_gate = self.projections.in_proj.weight.chunk(2)
        x = functional.linear(h, into_x)
        gate = functional.linear(h, into_gate)
        u = self._convolve(x, state)
        norms = self.dt_norm, self.B_norm, self.C_norm
        parts = self.x_proj(u).split([len(norm.weight) for norm in norms], dim=-1)
        dt, B, C = (norm(part) for norm, part in zip(norms, parts, strict=True))
        before, decay = None if state is None else state.ssm, -self.A_log.exp()
        operands = u, self.dt_proj(dt), decay, B, C, self.D, gate, before
        y, last = self.kernels.scan(*operands, reverse=self.reverse)
        if state is not None:
            state.ssm = last
        out: Tensor = self.projections.out_proj(y)
        return out

    def add(self, h: Tensor, norm: RMSNorm, state: MambaState | None = None) -> Tensor:
        """What it makes of normed rows on top of h, (B, t, d)."""
        if (passes := self.kernels.passes) is None:
            out: Tensor = h + self(norm(h), state)
            return out
        state = self.begin(h, h.shape[1]) if state is None else state
        added, state.tail, state.ssm = passes.add_mamba(
            h, norm.weight, norm.eps, self._weights(), state.tail, state.ssm, reverse=self.reverse
        )
        return added

    def _weights(self) -> MambaWeights:
        into, gate = self.projections.in_proj.weight.chunk(2)
        assert self.conv.bias is not None
        return MambaWeights(
            into=into,
            gate=gate,
            taps=self.conv.weight[:, 0],
            bias=self.conv.bias,
            operands=self.x_proj.weight,
            norms=(self.dt_norm.weight, self.B_norm.weight, self.C_norm.weight),
            eps=self.dt_norm.eps,
            step=self.dt_proj.weight,
            step_bias=self.dt_proj.bias,
            decay=-self.A_log.exp(),
            skip=self.D,
            out_of=self.projections.out_proj.weight,
        )

    def _convolve(self, x: Tensor, state: MambaState | None) -> Tensor:
        before = None if state is None else state.tail
        if state is not None:
            state.tail = moved_tail(x, state.tail, self.reverse)
        u: Tensor = self.kernels.conv(x, self.conv.weight[:, 0], self.conv.bias, before, reverse=self.reverse)
        return u
