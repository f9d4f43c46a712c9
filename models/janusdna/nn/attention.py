"""Causal self-attention inside one stream: the mixer of the "w/ midattn" models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from janusdna.nn.norm import RMSNorm
from janusdna.ops.attention import causal_attention
from janusdna.ops.backends import Kernels

__all__ = ["AttentionState", "CausalSelfAttention", "QueryKeyValue", "join_heads", "split_heads"]


class QueryKeyValue(nn.Module):
    """The four projections of a multi-head attention, without biases."""

    def __init__(self, *, hidden_size: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.k_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.v_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.o_proj = nn.Linear(hidden_size, hidden_size, bias=False)


def split_heads(rows: Tensor, heads: int) -> Tensor:
    """(B, T, d) to (B, H, T, d/H)."""
    split: Tensor = rows.unflatten(-1, (heads, -1)).transpose(1, 2)
    return split


def join_heads(rows: Tensor) -> Tensor:
    """(B, H, T, d/H) to (B, T, d)."""
    return rows.transpose(1, 2).flatten(-2)


@dataclass
class AttentionState:
    """Keys and values of the rows walked so far, in the order of the walk.

    Attributes:
        keys, values: (B, H, T, d/H), filled up to `filled`.
        filled: Rows walked.
        earlier: For each sequence the keys and values, (H, m, d/H), of a walk that this one goes on from.
    """

    keys: Tensor
    values: Tensor
    filled: int = 0
    earlier: list[tuple[Tensor, Tensor]] | None = None

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add the next rows, and give all keys and values so far."""
        end = self.filled + k.shape[2]
        self.keys[:, :, self.filled : end] = k
        self.values[:, :, self.filled : end] = v
        self.filled = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def keep(self) -> AttentionState:
        """What a later walk can start from: the rows up to here, shared with this walk."""
        return AttentionState(self.keys[:, :, : self.filled], self.values[:, :, : self.filled], self.filled)

    @classmethod
    def gather(cls, kept: Sequence[tuple[AttentionState, int]], length: int) -> AttentionState:
        """One batch of single sequences out of kept batches, to walk `length` rows further."""
        _, heads, _, size = kept[0][0].keys.shape
        buffer = kept[0][0].keys.new_empty(2, len(kept), heads, length, size)
        earlier = [(state.keys[row], state.values[row]) for state, row in kept]
        return cls(buffer[0], buffer[1], earlier=earlier)


class CausalSelfAttention(nn.Module):
    """Row t sees the rows up to t, or from t on with `reverse`; no positional encoding."""

    def __init__(self, *, hidden_size: int, num_heads: int, kernels: Kernels, reverse: bool) -> None:
        super().__init__()
        self.projections = QueryKeyValue(hidden_size=hidden_size)
        self.num_heads = num_heads
        self.scale = (hidden_size // num_heads) ** -0.5
        self.kernels = kernels
        self.reverse = reverse

    def begin(self, h: Tensor, length: int) -> AttentionState:
        """The state before the first chunk of sequences of `length`, for chunks like h, (B, t, d)."""
        batch, _, size = h.shape
        buffer = self.projections.k_proj.weight.new_empty(
            2, batch, self.num_heads, length, size // self.num_heads
        )
        return AttentionState(buffer[0], buffer[1])

    def add(self, h: Tensor, norm: RMSNorm, state: AttentionState | None = None) -> Tensor:
        """What it makes of normed rows on top of h, (B, t, d)."""
        out: Tensor = h + self(norm(h), state)
        return out

    def forward(self, h: Tensor, state: AttentionState | None = None) -> Tensor:
        """(B, t, d) in and out; `state` is moved on past this chunk."""
        rows = h.flip(1) if self.reverse else h
        p = self.projections
        q, k, v = (split_heads(project(rows), self.num_heads) for project in (p.q_proj, p.k_proj, p.v_proj))
        prefix, earlier = 0, None
        if state is not None:
            prefix, earlier = state.filled, state.earlier
            k, v = state.extend(k, v)
        look = self.kernels.attention
        mixed = join_heads(causal_attention(q, k, v, self.scale, prefix=prefix, earlier=earlier, look=look))
        out: Tensor = p.o_proj(mixed.flip(1) if self.reverse else mixed)
        return out
