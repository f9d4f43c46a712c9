"""Causal attention by PyTorch's fused kernels, and partial attentions merged by their log-sum-exp.

Legend: B batch, H heads, t queries, c head size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["causal_attention", "flash", "flash_backward", "merge"]

flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def flash(q: Tensor, k: Tensor, v: Tensor, scale: float, *, causal: bool) -> tuple[Tensor, Tensor]:
    """Attention on a CPU, (B, H, t, c), with the log-sum-exp of its scores, (B, H, t)."""
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal, scale=scale)
    return out, lse


def merge(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Two attentions of the same queries over disjoint keys as one over all of them, as `flash` gives it."""
    lse = torch.logaddexp(one[1], other[1])
    shares = ((part[1] - lse).exp()[..., None] for part in (one, other))
    out = one[0] * next(shares) + other[0] * next(shares)
    return out.to(one[0].dtype), lse


def causal_attention(q: Tensor, k: Tensor, v: Tensor, scale: float, *, prefix: int = 0) -> Tensor:
    """As `reference.causal_attention`; with a prefix on a CPU only and without a gradient."""
    if prefix == 0:
        out: Tensor = functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        return out
    earlier = flash(q, k[:, :, :prefix], v[:, :, :prefix], scale, causal=False)
    own = flash(q, k[:, :, prefix:], v[:, :, prefix:], scale, causal=True)
    return merge(earlier, own)[0]
