"""The gated activation of a SwiGLU on a CPU: one pass over rows [gate, up]."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.arrays import flat, is_native
from janusdna.ops.numba_math import compiled, silu
from janusdna.ops.simd import LANES, load, store
from janusdna.ops.threads import run_in_slices

__all__ = ["swiglu"]

_VALUES_WORTH_A_THREAD = 1 << 16


@compiled
def _forward(rows: Any, width: int, out: Any, start: int, end: int) -> None:
    for i in range(start, end):
        for first in range(0, width, LANES):
            lanes = min(LANES, width - first)
            at = 2 * i * width + first
            store(out, i * width + first, lanes, silu(load(rows, at, lanes)) * load(rows, at + width, lanes))


def swiglu(gate_up: Tensor) -> Tensor:
    """As `reference.swiglu`; by the reference where a gradient is wanted."""
    if torch.is_grad_enabled() or not is_native(gate_up.dtype):
        return reference.swiglu(gate_up)
    width = gate_up.shape[-1] // 2
    out = gate_up.new_empty(*gate_up.shape[:-1], width)
    work = partial(_forward, *flat(gate_up), width, *flat(out))
    rows, least = out.numel() // max(1, width), _VALUES_WORTH_A_THREAD // max(1, width)
    run_in_slices(work, rows, least=max(1, least))
    return out
