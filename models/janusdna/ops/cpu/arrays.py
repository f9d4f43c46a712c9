"""Tensors as the flat arrays that compiled kernels work on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops.cpu.processor import multiplies_bfloat16

__all__ = ["flat", "is_native", "row_starts", "rows_of", "words"]

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


def row_starts(x: Tensor) -> tuple[Any, tuple[int, ...]]:
    """A flat array that holds the rows of heads (B, H, t, c), and from one to the next along B, H and t.

    What lies at whatever distances is not copied, as long as a row's values are neighbours.
    """
    if x.stride(-1) != 1:
        x = x.contiguous()
    last = sum((n - 1) * stride for n, stride in zip(x.shape, x.stride(), strict=True))
    return _array(x.as_strided((last + 1,), (1,))), tuple(x.stride()[:-1])


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


def words(*matrices: Tensor) -> list[Any]:
    """Flat arrays as `tiles` multiplies them: of uint32 for pairs of bfloat16, else of float32.

    All of one kind: where the rows of one have an odd number of values, or the processor multiplies no pairs,
    none is read in pairs.
    """
    in_pairs = all(matrix.dtype == torch.bfloat16 and matrix.shape[-1] % 2 == 0 for matrix in matrices)
    if in_pairs and multiplies_bfloat16():
        return [array.view(np.uint32) for array in flat(*matrices)]
    return flat(*(matrix.float() for matrix in matrices))
