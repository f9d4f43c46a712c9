"""Causal self-attention inside one stream: the mixer of the "w/ midattn" models."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["CausalSelfAttention", "QueryKeyValue", "join_heads", "split_heads"]


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


class CausalSelfAttention(nn.Module):
    """Row t sees the rows up to t, or from t on with `reverse`; no positional encoding."""

    def __init__(self, *, hidden_size: int, num_heads: int, reverse: bool) -> None:
        super().__init__()
        self.projections = QueryKeyValue(hidden_size=hidden_size)
        self.num_heads = num_heads
        self.reverse = reverse

    def forward(self, h: Tensor) -> Tensor:
        """(B, T, d) in and out."""
        rows = h.flip(1) if self.reverse else h
        p = self.projections
        q, k, v = (split_heads(project(rows), self.num_heads) for project in (p.q_proj, p.k_proj, p.v_proj))
        mixed = join_heads(functional.scaled_dot_product_attention(q, k, v, is_causal=True))
        out: Tensor = p.o_proj(mixed.flip(1) if self.reverse else mixed)
        return out
