"""The gated activation of a SwiGLU on a CPU: one pass over rows [gate, up], forward and backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.cpu.arrays import flat, is_native
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.math import sigmoid, silu
from janusdna.ops.cpu.simd import LANES, load, spread, store
from janusdna.ops.cpu.threads import run_in_slices

__all__ = ["gate_slope", "swiglu"]

_VALUES_WORTH_A_THREAD = 1 << 16


@compiled
def gate_slope(gate: Any, opening: Any) -> Any:
    """The derivative of silu at `gate`, whose sigmoid is `opening`."""
    return opening * (spread(np.float32(1)) + gate * (spread(np.float32(1)) - opening))


@compiled
def _forward(rows: Any, width: int, out: Any, start: int, end: int) -> None:
    for i in range(start, end):
        for first in range(0, width, LANES):
            lanes = min(LANES, width - first)
            at = 2 * i * width + first
            store(out, i * width + first, lanes, silu(load(rows, at, lanes)) * load(rows, at + width, lanes))


@compiled
def _backward(rows: Any, width: int, dout: Any, drows: Any, start: int, end: int) -> None:
    for i in range(start, end):
        for first in range(0, width, LANES):
            lanes = min(LANES, width - first)
            at = 2 * i * width + first
            gate, gradient = load(rows, at, lanes), load(dout, i * width + first, lanes)
            opening = sigmoid(gate)
            store(drows, at, lanes, gradient * load(rows, at + width, lanes) * gate_slope(gate, opening))
            store(drows, at + width, lanes, gradient * gate * opening)


def swiglu(gate_up: Tensor) -> Tensor:
    """As `reference.swiglu`; by the reference in other dtypes than float32 and bfloat16."""
    if not is_native(gate_up.dtype):
        return reference.swiglu(gate_up)
    if not torch.is_grad_enabled():
        return _gated(gate_up)
    out: Tensor = _SwiGLU.apply(gate_up)  # type: ignore[no-untyped-call]
    return out


def _gated(gate_up: Tensor) -> Tensor:
    width = gate_up.shape[-1] // 2
    out = gate_up.new_empty(*gate_up.shape[:-1], width)
    _run(partial(_forward, *flat(gate_up), width, *flat(out)), out)
    return out


def _run(work: Any, out: Tensor) -> None:
    width = max(1, out.shape[-1])
    run_in_slices(work, out.numel() // width, least=max(1, _VALUES_WORTH_A_THREAD // width))


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        return _gated(gate_up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        drows = torch.empty(gate_up.shape, dtype=gate_up.dtype)
        rows, dout, into = flat(gate_up, grads[0], drows)
        _run(partial(_backward, rows, gate_up.shape[-1] // 2, dout, into), grads[0])
        return drows
