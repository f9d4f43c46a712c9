"""The Janus head: one attention block over both streams, under a mask that hides x_t at t."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from janusdna.nn.attention import QueryKeyValue, join_heads, split_heads
from janusdna.nn.feed_forward import SwiGLU
from janusdna.nn.norm import RMSNorm
from janusdna.ops.backends import Kernels
from janusdna.ops.fusion import janus_attention_rows

__all__ = ["JanusFusion"]


class JanusFusion(nn.Module):
    """A pre-norm attention + SwiGLU block over the 2T rows [F; R], read two rows a position.

    F_i comes to know everything but x[i+1] and R_j everything but x[j-1], so the sum of F_{t-1}
    and R_{t+1} is a prediction of position t that has not seen x_t.

    Source: Duan et al., arXiv 2505.17257, section 3.3.
    """

    def __init__(
        self,
        *,
        hidden_size: int,
        intermediate_size: int,
        num_heads: int,
        scale: float,
        eps: float,
        kernels: Kernels,
    ) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(hidden_size, eps=eps)
        self.attention = QueryKeyValue(hidden_size=hidden_size)
        self.feed_forward_norm = RMSNorm(hidden_size, eps=eps)
        self.feed_forward = SwiGLU(hidden_size=hidden_size, intermediate_size=intermediate_size)
        self.num_heads = num_heads
        self.scale = scale
        self.kernels = kernels

    def forward(self, forward: Tensor, backward: Tensor, targets: Tensor | None = None) -> Tensor:
        """The fused state that predicts each target.

        Args:
            forward: F, (B, T, d).
            backward: R in sequence order, (B, T, d).
            targets: (B, n), 0-based; None for every position.

        Returns:
            F_{t-1} + R_{t+1} after the block, (B, n, d); at the sequence's ends the one that exists.
        """
        if targets is None:
            return self._every_position(forward, backward)
        return self._positions(forward, backward, targets)

    def _every_position(self, forward: Tensor, backward: Tensor) -> Tensor:
        rows = torch.cat((forward, backward), dim=1)
        q, k, v = self._project(self.attention_norm(rows))
        mixed = join_heads(self.kernels.fusion(q, k, v, self.scale))
        fused_forward, fused_backward = self._finish(rows, mixed).chunk(2, dim=1)
        nothing = torch.zeros_like(forward[:, :1])
        before = torch.cat((nothing, fused_forward[:, :-1]), dim=1)
        after = torch.cat((fused_backward[:, 1:], nothing), dim=1)
        return before + after

    def _positions(self, forward: Tensor, backward: Tensor, targets: Tensor) -> Tensor:
        last = forward.shape[1] - 1
        keys = self.attention_norm(torch.cat((forward, backward), dim=1))
        k = split_heads(self.attention.k_proj(keys), self.num_heads)
        v = split_heads(self.attention.v_proj(keys), self.num_heads)
        neighbours = (
            _gather(forward, (targets - 1).clamp(min=0)),
            _gather(backward, (targets + 1).clamp(max=last)),
        )
        rows = torch.stack(neighbours, dim=2).flatten(1, 2)
        q = split_heads(self.attention.q_proj(self.attention_norm(rows)), self.num_heads)
        mixed = janus_attention_rows(q.unflatten(2, (-1, 2)), k, v, targets, self.scale)
        fused: Tensor = self._finish(rows, join_heads(mixed.flatten(2, 3))).unflatten(1, (-1, 2))
        exists = torch.stack((targets > 0, targets < last), dim=-1)
        return (fused * exists[..., None]).sum(dim=2)

    def _project(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        p = self.attention
        q, k, v = (split_heads(project(rows), self.num_heads) for project in (p.q_proj, p.k_proj, p.v_proj))
        return q, k, v

    def _finish(self, rows: Tensor, mixed: Tensor) -> Tensor:
        rows = rows + self.attention.o_proj(mixed)
        out: Tensor = rows + self.feed_forward(self.feed_forward_norm(rows))
        return out


def _gather(rows: Tensor, positions: Tensor) -> Tensor:
    """rows[b, positions[b]], (B, n, d)."""
    return rows.gather(1, positions[..., None].expand(-1, -1, rows.shape[-1]))
