"""The Janus fusion by PyTorch's FlexAttention: the mask as a function, no 2T x 2T tensor."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

__all__ = ["janus_attention"]


def janus_attention(q: Tensor, k: Tensor, v: Tensor, scale: float, *, compiled: bool) -> Tensor:
    """As `reference.janus_attention`; uncompiled it is as slow and as large as the reference."""
    attend: Any = _compiled() if compiled else flex_attention
    out: Tensor = attend(q, k, v, block_mask=_block_mask(q.shape[2] // 2, q.device), scale=scale)
    return out


@cache
def _compiled() -> Callable[..., Any]:
    return torch.compile(flex_attention)


@lru_cache(maxsize=4)
def _block_mask(length: int, device: torch.device) -> BlockMask:
    def sees(batch: Tensor, head: Tensor, row: Tensor, key: Tensor) -> Tensor:
        i, k = row % length, key % length
        from_forward, to_forward = row < length, key < length
        forward = torch.where(to_forward, k <= i, k >= i + 2)
        backward = torch.where(to_forward, k <= i - 2, k >= i)
        return torch.where(from_forward, forward, backward)

    return create_block_mask(sees, None, None, 2 * length, 2 * length, device=device.type)
