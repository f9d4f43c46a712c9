"""Attention by PyTorch's fused kernels, in parts that are merged by their log-sum-exp.

Legend: B batch, H heads, t queries, m keys, c head size.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from janusdna.ops.reference import accumulation_dtype

__all__ = ["Partial", "attend", "attend_backward", "causal_attention", "merge", "padded", "padded_size"]

# An attention over some of the keys, (B, H, t, c), and the log-sum-exp of its scores, (B, H, t).
Partial = tuple[Tensor, Tensor]

_SCORES_IN_FLIGHT = 1 << 26
# What CUDA's fused kernels take: sizes of a head, rows of a log-sum-exp, queries of a block.
_HEAD_MULTIPLE = 8
_LSE_MULTIPLE = 32
_QUERY_BLOCK = 128
# Blocks that keep a GPU busy, and keys that are worth a block.
_BLOCKS_WANTED = 512
_FEWEST_KEYS = 1024

_aten = torch.ops.aten


def padded_size(size: int, device: torch.device) -> int:
    """What heads of `size` are widened to, by zeros, for the fused kernels of `device`."""
    return size if device.type == "cpu" else -(-size // _HEAD_MULTIPLE) * _HEAD_MULTIPLE


def padded(rows: Tensor) -> Tensor:
    """Rows of heads (..., c) with zeros behind, as `padded_size` says; no copy where that is c."""
    more = padded_size(rows.shape[-1], rows.device) - rows.shape[-1]
    return functional.pad(rows, (0, more)) if more else rows


def attend(
    q: Tensor, k: Tensor, v: Tensor, scale: float, *, causal: bool = False, seen: Tensor | None = None
) -> Partial:
    """Softmax attention with the log-sum-exp of its scores, without a gradient.

    Args:
        q: (B, H, t, c), c as `padded_size` gives.
        k, v: (B, H, m, c).
        scale: Factor on the query-key products.
        causal: Query i sees the keys up to i.
        seen: Which keys a query sees, (t, m) bool, at least one each; None for all.
    """
    if q.device.type == "cpu":
        mask = None if seen is None else torch.zeros_like(seen, dtype=q.dtype).masked_fill_(~seen, -torch.inf)
        out, lse = _aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, 0.0, causal, attn_mask=mask, scale=scale
        )
        return out, lse
    if seen is not None or q.dtype == torch.float64:
        return _attend_in_blocks(q, k, v, scale, causal=causal, seen=seen)
    return _attend_cuda(q, k, v, scale, causal=True) if causal else _attend_in_parts(q, k, v, scale)


def attend_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of q, k and v of a causal `attend`; `out` and `lse` may be those of a merged whole."""
    if q.device.type == "cpu":
        found = _aten._scaled_dot_product_flash_attention_for_cpu_backward(
            grad, q, k, v, out, lse, 0.0, True, scale=scale
        )
    elif q.dtype == torch.float32:
        filled = functional.pad(lse, (0, -lse.shape[2] % _LSE_MULTIPLE))
        no_dropout = [torch.zeros((), dtype=torch.int64, device=q.device)] * 2
        wanted = [True, True, True, False]
        found = _aten._scaled_dot_product_efficient_attention_backward(
            grad, q, k, v, None, out, filled, *no_dropout, 0.0, wanted, True, scale=scale
        )
    else:
        no_dropout = [torch.zeros(n, dtype=torch.uint64, device=q.device) for n in ((2,), ())]
        sizes = q.shape[2], k.shape[2]
        found = _aten._scaled_dot_product_flash_attention_backward(
            grad, q, k, v, out, lse, None, None, *sizes, 0.0, True, *no_dropout, scale=scale
        )
    return found[0], found[1], found[2]


def _attend_cuda(q: Tensor, k: Tensor, v: Tensor, scale: float, *, causal: bool) -> Partial:
    """By the fused kernel for the dtype: as many queries as keys where causal."""
    if q.dtype == torch.float32:
        out, lse, *_ = _aten._scaled_dot_product_efficient_attention(
            q, k, v, None, True, 0.0, causal, scale=scale
        )
        return out, lse[:, :, : q.shape[2]]
    out, lse, *_ = _aten._scaled_dot_product_flash_attention(q, k, v, 0.0, causal, scale=scale)
    return out, lse


def _attend_in_parts(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Partial:
    """With the keys split among a GPU's processors, which few queries alone would leave idle."""
    (batch, heads, count, _), keys = q.shape, k.shape[2]
    blocks = batch * heads * -(-count // _QUERY_BLOCK)
    parts = min(keys // _FEWEST_KEYS, _BLOCKS_WANTED // blocks)
    if batch > 1 or parts < 2:
        return _attend_cuda(q, k, v, scale, causal=False)
    size = keys // parts

    def split(rows: Tensor) -> Tensor:
        own: Tensor = rows[0, :, : parts * size].unflatten(1, (parts, size)).transpose(0, 1)
        return own

    out, lse = _attend_cuda(q.expand(parts, -1, -1, -1), split(k), split(v), scale, causal=False)
    whole = lse.logsumexp(0, keepdim=True)
    mixed = (out * (lse - whole).exp()[..., None]).sum(0, keepdim=True).to(q.dtype), whole
    if keys % parts == 0:
        return mixed
    k, v = (rows[:, :, parts * size :] for rows in (k, v))
    return merge(mixed, _attend_cuda(q, k, v, scale, causal=False))


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
        scores = q[:, :, at : at + block].to(exact) @ k.to(exact).transpose(-1, -2) * scale
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
    look: Callable[..., Partial] = attend,
) -> Tensor:
    """As `reference.causal_attention`; without a gradient where the queries see more than each other.

    Args:
        q: (B, H, t, c).
        k, v: (B, H, prefix + t, c).
        scale: Factor on the query-key products.
        prefix: Keys before the first query's own.
        earlier: For each sequence keys and values before all of these, (H, m, c) each, m differing.
        look: As `attend`: who looks at what all queries see.
    """
    size = q.shape[-1]
    q, k, v = padded(q), padded(k), padded(v)
    if torch.is_grad_enabled() and prefix == 0 and earlier is None:
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)[..., :size]
    mixed = attend(q, k[:, :, prefix:], v[:, :, prefix:], scale, causal=True)
    if prefix:
        mixed = merge(mixed, look(q, k[:, :, :prefix], v[:, :, :prefix], scale))
    if earlier is None:
        return mixed[0][..., :size]
    found = []
    for i, kept in enumerate(earlier):
        own = mixed[0][i, None], mixed[1][i, None]
        k, v = (padded(part[None]) for part in kept)
        found.append(merge(own, look(q[i, None], k, v, scale))[0] if k.shape[2] else own[0])
    return torch.cat(found)[..., :size]
