"""The Janus fusion by PyTorch's FlexAttention: the mask as a function, no 2T x 2T tensor."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

__all__ = ["block_mask", "janus_attention"]

_BLOCK = 128


def janus_attention(q: Tensor, k: Tensor, v: Tensor, scale: float, *, compiled: bool) -> Tensor:
    """As `reference.janus_attention`; uncompiled it is as slow and as large as the reference."""
    attend: Any = _compiled() if compiled else flex_attention
    out: Tensor = attend(q, k, v, block_mask=block_mask(q.shape[2] // 2, q.device), scale=scale)
    return out


@cache
def _compiled() -> Callable[..., Any]:
    return torch.compile(flex_attention)


@lru_cache(maxsize=4)
def block_mask(length: int, device: torch.device) -> BlockMask:
    """Which blocks of keys a block of queries sees, wholly or in part, without a 2T x 2T tensor.

    A row that predicts position t, F_{t-1} or R_{t+1}, sees F before t and R after it.
    """

    def sees(batch: Tensor, head: Tensor, row: Tensor, key: Tensor) -> Tensor:
        target = torch.where(row < length, row + 1, row - length - 1)
        return torch.where(key < length, key < target, key - length > target)

    starts = torch.arange(0, 2 * length, _BLOCK, device=device)
    ends = (starts + _BLOCK).clamp(max=2 * length)
    # Of each block the first and last position of its forward rows, and of its backward rows.
    forward, has_forward = (starts, ends.clamp(max=length) - 1), starts < length
    backward, has_backward = (starts.clamp(min=length) - length, ends - length - 1), ends > length
    far = 2 * length
    earliest = torch.minimum(
        torch.where(has_forward, forward[0] + 1, far), torch.where(has_backward, backward[0] - 1, far)
    )[:, None]
    latest = torch.maximum(
        torch.where(has_forward, forward[1] + 1, -1), torch.where(has_backward, backward[1] - 1, -1)
    )[:, None]
    some = (has_forward & (forward[0] < latest)) | (has_backward & (backward[1] > earliest))
    every = (~has_forward | (forward[1] < earliest)) & (~has_backward | (backward[0] > latest))
    whole = ends - starts == _BLOCK
    every &= whole & whole[:, None]
    partial, full = _listed(some & ~every), _listed(every)
    return BlockMask.from_kv_blocks(
        *partial, *full, BLOCK_SIZE=_BLOCK, mask_mod=sees, seq_lengths=(2 * length, 2 * length)
    )


def _listed(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks of keys each block of queries has, and which; for all batches and heads."""
    order = chosen.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
    return chosen.sum(1, dtype=torch.int32)[None, None], order.to(torch.int32)[None, None]
