"""The causal depthwise convolution and its SiLU by causal-conv1d's CUDA kernel, which must be installed.

The kernel indexes with 32-bit strides: the batch is split so that no call reaches 2^32 elements.
"""

from __future__ import annotations

import torch
from causal_conv1d import causal_conv1d_fn
from torch import Tensor

__all__ = ["conv_silu"]

_INDEX_LIMIT = 1 << 32


def conv_silu(
    x: Tensor, weight: Tensor, bias: Tensor, before: Tensor | None = None, *, reverse: bool = False
) -> Tensor:
    """As `reference.conv_silu`."""
    if reverse:
        mirrored = None if before is None else before.flip(1)
        return conv_silu(x.flip(1), weight, bias, mirrored).flip(1)
    padded = x if before is None else torch.cat((before, x), dim=1)
    rows = max(1, (_INDEX_LIMIT - 1) // (padded.shape[1] * padded.shape[2]))
    parts = [
        causal_conv1d_fn(part.transpose(1, 2).contiguous(), weight, bias, activation="silu")
        for part in padded.split(rows)
    ]
    return torch.cat(parts).transpose(1, 2)[:, padded.shape[1] - x.shape[1] :]
