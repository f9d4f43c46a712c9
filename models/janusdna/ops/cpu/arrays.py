"""Tensors as the flat arrays that compiled kernels work on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["flat", "is_native", "rows_of"]

_NATIVE = (torch.float32, torch.bfloat16)


def is_native(dtype: torch.dtype) -> bool:
    """Whether kernels read and write it without a conversion."""
    return dtype in _NATIVE


def flat(*tensors: Tensor) -> list[Any]:
    """Flat arrays, of uint16 for bfloat16 and of float32 for the rest.

    They share memory with tensors that are contiguous and of one of these dtypes.
    """
    return [_array(tensor).reshape(-1) for tensor in tensors]


def rows_of(x: Tensor) -> tuple[Any, int, int]:
    """Rows of the last axis: a flat array that holds them, how many they are, from one to the next.

    A part of a row, as `split` gives it, is not copied.
    """
    width = x.shape[-1]
    count = x.numel() // max(1, width)
    if x.is_contiguous() or not _is_part_of_rows(x):
        return _array(x).reshape(-1), count, width
    stride = x.stride(-2)
    return _array(x.as_strided(((count - 1) * stride + width,), (1,))), count, stride


def _is_part_of_rows(x: Tensor) -> bool:
    """Whether rows lie at equal distances."""
    leading = range(x.ndim - 2)
    return x.stride(-1) == 1 and all(x.stride(i) == x.stride(i + 1) * x.shape[i + 1] for i in leading)


def _array(x: Tensor) -> Any:
    if x.requires_grad:
        x = x.detach()
    if x.dtype == torch.bfloat16:
        x = x.contiguous().view(torch.uint16)
    elif x.dtype != torch.float32:
        x = x.float()
    return x.contiguous().numpy()
