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
        self.feed_forward = SwiGLU(
            hidden_size=hidden_size, intermediate_size=intermediate_size, kernels=kernels
        )
        self.num_heads = num_heads
        self.scale = scale
        self.kernels = kernels

    def every_position(self, forward: Tensor, backward: Tensor) -> Tensor:
        """The fused state that predicts each position.

        Args:
            forward: F, (B, T, d).
            backward: R in sequence order, (B, T, d).

        Returns:
            F_{t-1} + R_{t+1} after the block, (B, T, d); at the sequence's ends the one that exists.
        """
        rows = torch.cat((forward, backward), dim=1)
        q = split_heads(self.attention.q_proj(self.attention_norm(rows)), self.num_heads)
        mixed = join_heads(self.kernels.fusion(q, *self.keys_values(rows), self.scale))
        fused_forward, fused_backward = self._finish(rows, mixed).chunk(2, dim=1)
        nothing = torch.zeros_like(forward[:, :1])
        before = torch.cat((nothing, fused_forward[:, :-1]), dim=1)
        after = torch.cat((fused_backward[:, 1:], nothing), dim=1)
        return before + after

    def keys_values(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, (B, H, t, d/H) each, of rows of either stream, (B, t, d)."""
        normed = self.attention_norm(rows)
        k, v = (
            split_heads(p(normed), self.num_heads) for p in (self.attention.k_proj, self.attention.v_proj)
        )
        return k, v

    def positions(self, neighbours: Tensor, keys: Tensor, values: Tensor, targets: Tensor) -> Tensor:
        """The fused state that predicts each target, without the fusion's other rows.

        Args:
            neighbours: The rows F_{t-1} and R_{t+1} of each target, (B, n, 2, d); any values in place
                of a row that does not exist.
            keys: Of all rows [F; R], (B, H, 2T, d/H).
            values: The same.
            targets: 0-based, (B, n).

        Returns:
            As `every_position`, (B, n, d).
        """
        rows = neighbours.flatten(1, 2)
        q = split_heads(self.attention.q_proj(self.attention_norm(rows)), self.num_heads)
        mixed = janus_attention_rows(q.unflatten(2, (-1, 2)), keys, values, targets, self.scale)
        fused: Tensor = self._finish(rows, join_heads(mixed.flatten(2, 3))).unflatten(1, (-1, 2))
        exists = torch.stack((targets > 0, targets < keys.shape[2] // 2 - 1), dim=-1)
        return (fused * exists[..., None]).sum(dim=2)

    def _finish(self, rows: Tensor, mixed: Tensor) -> Tensor:
        rows = rows + self.attention.o_proj(mixed)
        out: Tensor = rows + self.feed_forward(self.feed_forward_norm(rows))
        return out
