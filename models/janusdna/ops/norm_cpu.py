"""Root mean square normalisation on a CPU: one pass over rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.arrays import flat, is_native, rows_of
from janusdna.ops.numba_math import compiled
from janusdna.ops.simd import LANES, load, spread, store, sum_of
from janusdna.ops.threads import run_in_slices

__all__ = ["rms_norm"]

_VALUES_WORTH_A_THREAD = 1 << 16


@compiled
def _forward(x: Any, stride: int, weight: Any, eps: Any, out: Any, start: int, end: int) -> None:
    width = weight.size
    for i in range(start, end):
        squares = spread(np.float32(0))
        for first in range(0, width, LANES):
            part = load(x, i * stride + first, min(LANES, width - first))
            squares = squares + part * part
        scale = spread(np.float32(1) / np.sqrt(sum_of(squares) / np.float32(width) + eps))
        for first in range(0, width, LANES):
            lanes = min(LANES, width - first)
            part = load(x, i * stride + first, lanes) * scale * load(weight, first, lanes)
            store(out, i * width + first, lanes, part)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """As `reference.rms_norm`; by the reference where a gradient is wanted."""
    if torch.is_grad_enabled() or not (is_native(x.dtype) and is_native(weight.dtype)):
        return reference.rms_norm(x, weight, eps)
    out = torch.empty(x.shape, dtype=weight.dtype)
    array, count, stride = rows_of(x)
    work = partial(_forward, array, stride, *flat(weight), np.float32(eps), *flat(out))
    run_in_slices(work, count, least=max(1, _VALUES_WORTH_A_THREAD // x.shape[-1]))
    return out
