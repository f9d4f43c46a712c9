"""Root mean square normalisation in Triton: one pass over rows, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from janusdna.ops.triton.launch import launch

__all__ = ["rms_norm"]

# Values of a program's rows; programs of a backward pass, each of which sums over its share of the rows.
_VALUES = 2048
_PROGRAMS_BACKWARD = 1024


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """As `reference.rms_norm`, in float32 inside."""
    out: Tensor = _RMSNorm.apply(x, weight, eps)
    return out


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        ctx.eps = eps
        ctx.save_for_backward(x, weight)
        rows = x.reshape(-1, x.shape[-1])
        out = torch.empty(x.shape, dtype=weight.dtype, device=x.device)
        block, together = _sizes(rows)
        grid = (triton.cdiv(len(rows), together),)
        sizes = *rows.shape, rows.stride(0), eps
        launch(_forward, grid, rows, weight, out, *sizes, ROWS=together, BLOCK=block)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        rows = x.reshape(-1, x.shape[-1])
        block, together = _sizes(rows)
        dx = torch.empty(rows.shape, dtype=x.dtype, device=x.device)
        programs = min(_PROGRAMS_BACKWARD, triton.cdiv(len(rows), together))
        sums = weight.new_empty(programs, rows.shape[1], dtype=torch.float32)
        operands = rows, weight, grads[0].contiguous(), dx, sums
        sizes = *rows.shape, rows.stride(0), ctx.eps
        launch(_backward, (programs,), *operands, *sizes, ROWS=together, BLOCK=block)
        return dx.view_as(x), sums.sum(0).to(weight.dtype), None


def _sizes(rows: Tensor) -> tuple[int, int]:
    """Columns of a program, a power of two, and its rows."""
    block = triton.next_power_of_2(rows.shape[1])
    return block, max(1, _VALUES // block)


@triton.jit
def _forward(x, weight, out, count, width, stride, eps, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    inside = (row < count)[:, None] & (column < width)[None, :]
    _, normed = _normed(x, row, column, inside, width, stride, eps)
    w = tl.load(weight + column, mask=column < width, other=0.0).to(tl.float32)
    # Rounded as the reference rounds: to the weight's dtype, then times the weight.
    result = normed.to(out.dtype.element_ty).to(tl.float32) * w[None, :]
    place = row[:, None] * width + column[None, :]
    tl.store(out + place, result.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _backward(x, weight, dy, dx, sums, count, width, stride, eps, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    w = tl.load(weight + column, mask=column < width, other=0.0).to(tl.float32)
    dweight = tl.zeros((BLOCK,), tl.float32)
    for first in range(tl.program_id(0) * ROWS, count, tl.num_programs(0) * ROWS):
        row = tl.cast(first, tl.int64) + tl.arange(0, ROWS)
        inside = (row < count)[:, None] & (column < width)[None, :]
        scale, normed = _normed(x, row, column, inside, width, stride, eps)
        place = row[:, None] * width + column[None, :]
        dout = tl.load(dy + place, mask=inside, other=0.0).to(tl.float32)
        dnormed = dout * w[None, :]
        along = tl.sum(dnormed * normed, axis=1) / width
        found = scale[:, None] * (dnormed - normed * along[:, None])
        tl.store(dx + place, found.to(dx.dtype.element_ty), mask=inside)
        dweight += tl.sum(dout * normed, axis=0)
    tl.store(sums + tl.program_id(0) * width + column, dweight, mask=column < width)


@triton.jit
def _normed(x, row, column, inside, width, stride, eps):
    """The scale of each row, and the rows times it."""
    exact = tl.load(x + row[:, None] * stride + column[None, :], mask=inside, other=0.0).to(tl.float32)
    scale = 1 / tl.sqrt(tl.sum(exact * exact, axis=1) / width + eps)
    return scale, exact * scale[:, None]
