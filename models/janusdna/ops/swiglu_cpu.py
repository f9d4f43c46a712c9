"""The gated activation of a SwiGLU on a CPU: one pass over rows [gate, up]."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.numba_math import compiled, silu
from janusdna.ops.threads import run_in_slices

__all__ = ["swiglu"]

_VALUES_WORTH_A_THREAD = 1 << 16


@compiled
def _forward(rows: Any, out: Any, start: int, end: int) -> None:
    width = out.shape[1]
    for i in range(start, end):
        gate, up, target = rows[i, :width], rows[i, width:], out[i]
        for c in range(width):
            target[c] = silu(gate[c]) * up[c]


def swiglu(gate_up: Tensor) -> Tensor:
    """As `reference.swiglu`; in float32, and by the reference where a gradient is wanted."""
    if torch.is_grad_enabled() or gate_up.dtype != torch.float32:
        return reference.swiglu(gate_up)
    rows = gate_up.contiguous().flatten(0, -2)
    out = torch.empty(rows.shape[0], rows.shape[1] // 2)
    source, target = rows.numpy(), out.numpy()
    least = _VALUES_WORTH_A_THREAD // max(1, target.shape[1])
    run_in_slices(lambda start, end: _forward(source, target, start, end), len(source), least=max(1, least))
    return out.view(*gate_up.shape[:-1], out.shape[1])
