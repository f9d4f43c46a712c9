"""The gated activation of a SwiGLU in Triton: one pass over rows [gate, up], forward and backward."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from janusdna.ops.triton.launch import launch
from janusdna.ops.triton.math import sigmoid

__all__ = ["swiglu"]

_BLOCK = 1024


def swiglu(gate_up: Tensor) -> Tensor:
    """As `reference.swiglu`, in float32 inside."""
    out: Tensor = _SwiGLU.apply(gate_up)
    return out


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        rows = gate_up.contiguous()
        ctx.save_for_backward(rows)
        out = rows.new_empty(*rows.shape[:-1], rows.shape[-1] // 2)
        grid = (triton.cdiv(out.numel(), _BLOCK),)
        launch(_forward, grid, rows, out, out.numel(), out.shape[-1], BLOCK=_BLOCK)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (rows,) = ctx.saved_tensors
        dout, found = grads[0].contiguous(), torch.empty_like(rows)
        grid = (triton.cdiv(dout.numel(), _BLOCK),)
        launch(_backward, grid, rows, dout, found, dout.numel(), dout.shape[-1], BLOCK=_BLOCK)
        return found


@triton.jit
def _forward(rows, out, count, width, BLOCK: tl.constexpr):
    at, inside, place = _places(count, width, BLOCK)
    gate = tl.load(rows + place, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(rows + place + width, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + at, (gate * sigmoid(gate) * up).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _backward(rows, dout, found, count, width, BLOCK: tl.constexpr):
    at, inside, place = _places(count, width, BLOCK)
    gate = tl.load(rows + place, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(rows + place + width, mask=inside, other=0.0).to(tl.float32)
    d = tl.load(dout + at, mask=inside, other=0.0).to(tl.float32)
    opened = sigmoid(gate)
    dgate = d * up * opened * (1 + gate * (1 - opened))
    tl.store(found + place, dgate.to(found.dtype.element_ty), mask=inside)
    tl.store(found + place + width, (d * gate * opened).to(found.dtype.element_ty), mask=inside)


@triton.jit
def _places(count, width, BLOCK: tl.constexpr):
    """Where a program's values stand in the answer, which of them exist, and where their gates stand."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return at, at < count, at // width * (2 * width) + at % width
