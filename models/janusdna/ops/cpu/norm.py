"""Root mean square normalisation on a CPU: one pass over rows, forward and backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.cpu.arrays import flat, is_native, rows_of
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.simd import LANES, load, spread, store, sum_of
from janusdna.ops.cpu.threads import run_all, run_in_slices, slices

__all__ = ["rms_norm"]

_VALUES_WORTH_A_THREAD = 1 << 16


@compiled
def _scale(x: Any, at: int, width: int, eps: Any) -> Any:
    """Of the row at `at`: 1 / sqrt(mean(x^2) + eps)."""
    squares = spread(np.float32(0))
    for first in range(0, width, LANES):
        part = load(x, at + first, min(LANES, width - first))
        squares = squares + part * part
    return np.float32(1) / np.sqrt(sum_of(squares) / np.float32(width) + eps)


@compiled
def _forward(x: Any, stride: int, weight: Any, eps: Any, out: Any, start: int, end: int) -> None:
    width = weight.size
    for i in range(start, end):
        scale = spread(_scale(x, i * stride, width, eps))
        for first in range(0, width, LANES):
            lanes = min(LANES, width - first)
            part = load(x, i * stride + first, lanes) * scale * load(weight, first, lanes)
            store(out, i * width + first, lanes, part)


@compiled
def _backward(
    x: Any, stride: int, weight: Any, eps: Any, dout: Any, dx: Any, dweight: Any, start: int, end: int
) -> None:
    """`dweight` is of these rows alone, and zeros before."""
    width = weight.size
    for i in range(start, end):
        scale = _scale(x, i * stride, width, eps)
        scales, along = spread(scale), spread(np.float32(0))
        for first in range(0, width, LANES):
            lanes = min(LANES, width - first)
            gradient = load(dout, i * width + first, lanes)
            turned = gradient * load(x, i * stride + first, lanes) * scales
            along = along + turned * load(weight, first, lanes)
            store(dweight, first, lanes, load(dweight, first, lanes) + turned)
        shrink = spread(sum_of(along) / np.float32(width) * scale)
        for first in range(0, width, LANES):
            lanes = min(LANES, width - first)
            gradient = load(dout, i * width + first, lanes) * load(weight, first, lanes)
            store(
                dx,
                i * width + first,
                lanes,
                scales * (gradient - load(x, i * stride + first, lanes) * shrink),
            )


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """As `reference.rms_norm`; by the reference in other dtypes than float32 and bfloat16."""
    if not (is_native(x.dtype) and is_native(weight.dtype)):
        return reference.rms_norm(x, weight, eps)
    if not torch.is_grad_enabled():
        return _norm(x, weight, eps)
    out: Tensor = _RMSNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
    return out


def _norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    out = torch.empty(x.shape, dtype=weight.dtype)
    array, count, stride = rows_of(x)
    work = partial(_forward, array, stride, *flat(weight), np.float32(eps), *flat(out))
    run_in_slices(work, count, least=_rows_worth_a_thread(weight))
    return out


def _rows_worth_a_thread(weight: Tensor) -> int:
    return max(1, _VALUES_WORTH_A_THREAD // len(weight))


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        return _norm(x, weight, eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        array, count, stride = rows_of(x)
        parts = slices(count, least=_rows_worth_a_thread(weight))
        dx = torch.empty(x.shape, dtype=x.dtype)
        dweight = torch.zeros(len(parts), len(weight))
        operands = (array, stride, *flat(weight), np.float32(ctx.eps), *flat(grads[0], dx))
        run_all([partial(_backward, *operands, *flat(dweight[i]), *part) for i, part in enumerate(parts)])
        return dx, dweight.sum(0).to(weight.dtype), None
