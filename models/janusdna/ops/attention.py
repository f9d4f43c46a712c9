"""Attention by PyTorch's fused kernels, in parts that are merged by their log-sum-exp.

Legend: B batch, H heads, t queries, m keys, c head size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from janusdna.ops.reference import accumulation_dtype

__all__ = ["Partial", "attend", "causal_attention", "flash_backward", "merge"]

# An attention over some of the keys, (B, H, t, c), and the log-sum-exp of its scores, (B, H, t).
Partial = tuple[Tensor, Tensor]

_SCORES_IN_FLIGHT = 1 << 26

flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def attend(
    q: Tensor, k: Tensor, v: Tensor, scale: float, *, causal: bool = False, seen: Tensor | None = None
) -> Partial:
    """Softmax attention with the log-sum-exp of its scores, without a gradient.

    Args:
        q: (B, H, t, c).
        k, v: (B, H, m, c).
        scale: Factor on the query-key products.
        causal: Query i sees the keys up to i.
        seen: Which keys a query sees, (t, m) bool, at least one each; None for all.
    """
    if q.device.type != "cpu":
        return _attend_in_blocks(q, k, v, scale, causal=causal, seen=seen)
    mask = None if seen is None else torch.zeros(seen.shape, dtype=q.dtype).masked_fill_(~seen, -torch.inf)
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, causal, attn_mask=mask, scale=scale
    )
    return out, lse


def _attend_in_blocks(
    q: Tensor, k: Tensor, v: Tensor, scale: float, *, causal: bool, seen: Tensor | None
) -> Partial:
    """By dense scores, of so many queries at a time that they stay bounded."""
    count, keys, exact = q.shape[2], k.shape[2], accumulation_dtype(q.dtype)
    if causal:
        seen = torch.ones(count, keys, dtype=torch.bool, device=q.device).tril()
    block = max(1, _SCORES_IN_FLIGHT // (keys * q.shape[0] * q.shape[1]))
    parts = []
    for at in range(0, count, block):
        scores = (q[:, :, at : at + block] @ k.transpose(-1, -2)).to(exact) * scale
        if seen is not None:
            scores = scores.masked_fill(~seen[at : at + block], -torch.inf)
        lse = scores.logsumexp(-1)
        parts.append(((scores - lse[..., None]).exp().to(v.dtype) @ v, lse))
    return torch.cat([out for out, _ in parts], dim=2), torch.cat([lse for _, lse in parts], dim=2)


def merge(one: Partial, other: Partial) -> Partial:
    """Two attentions of the same queries over disjoint keys as one over all of them."""
    lse = torch.logaddexp(one[1], other[1])
    shares = ((part[1] - lse).exp()[..., None] for part in (one, other))
    out = one[0] * next(shares) + other[0] * next(shares)
    return out.to(one[0].dtype), lse


def causal_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float,
    *,
    prefix: int = 0,
    earlier: list[tuple[Tensor, Tensor]] | None = None,
) -> Tensor:
    """As `reference.causal_attention`; without a gradient where the queries see more than each other.

    Args:
        q: (B, H, t, c).
        k, v: (B, H, prefix + t, c).
        scale: Factor on the query-key products.
        prefix: Keys before the first query's own.
        earlier: For each sequence keys and values before all of these, (H, m, c) each, m differing.
    """
    if prefix == 0 and earlier is None:
        out: Tensor = functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        return out
    mixed = attend(q, k[:, :, prefix:], v[:, :, prefix:], scale, causal=True)
    if prefix:
        mixed = merge(mixed, attend(q, k[:, :, :prefix], v[:, :, :prefix], scale))
    if earlier is None:
        return mixed[0]
    return torch.cat([_with_earlier(q, mixed, i, kv, scale) for i, kv in enumerate(earlier)])


def _with_earlier(q: Tensor, mixed: Partial, i: int, earlier: tuple[Tensor, Tensor], scale: float) -> Tensor:
    """Sequence i of `mixed`, merged with the attention to what came before."""
    own = mixed[0][i, None], mixed[1][i, None]
    k, v = (part[None] for part in earlier)
    if k.shape[2] == 0:
        return own[0]
    return merge(own, attend(q[i, None], k, v, scale))[0]
