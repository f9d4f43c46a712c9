"""The selective scan by mamba-ssm's CUDA kernel, which must be installed to import this file.

The kernel starts at zero and indexes with 32-bit strides. The recurrence is linear, so an initial
state h_0 adds C_t . (exp(A * cumsum(delta)_t) h_0) before the gate; and the batch is split so that no call
reaches 2^32 elements.
"""

from __future__ import annotations

import torch
from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
from torch import Tensor
from torch.nn import functional

__all__ = ["selective_scan"]

_INDEX_LIMIT = 1 << 32


def selective_scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    z: Tensor,
    initial_state: Tensor | None = None,
    *,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """As `reference.selective_scan`."""
    if reverse:
        x_, dt_, B_, C_, z_ = (operand.flip(1) for operand in (x, dt, B, C, z))
        y, state = selective_scan(x_, dt_, A, B_, C_, D, z_, initial_state)
        return y.flip(1), state
    rows = max(1, (_INDEX_LIMIT - 1) // (x.shape[1] * x.shape[2]))
    batches = zip(*(operand.split(rows) for operand in (x, dt, B, C, z)), strict=True)
    parts = [_scan_from_zero(*batch, A=A, D=D) for batch in batches]
    y, state = (torch.cat(part) for part in zip(*parts, strict=True))
    if initial_state is None:
        return y, state
    return _add_initial_state(y, state, dt, A, C, z, initial_state)


def _scan_from_zero(
    x: Tensor, dt: Tensor, B: Tensor, C: Tensor, z: Tensor, *, A: Tensor, D: Tensor
) -> tuple[Tensor, Tensor]:
    u, delta, b, c, gate = (operand.transpose(1, 2).contiguous() for operand in (x, dt, B, C, z))
    y, state = selective_scan_fn(
        u, delta, A.float(), b, c, D.float(), z=gate, delta_softplus=True, return_last_state=True
    )
    return y.transpose(1, 2), state


def _add_initial_state(
    y: Tensor, state: Tensor, dt: Tensor, A: Tensor, C: Tensor, z: Tensor, initial_state: Tensor
) -> tuple[Tensor, Tensor]:
    elapsed = functional.softplus(dt.float()).cumsum(dim=1)
    correction = torch.zeros_like(y, dtype=torch.float32)
    for n in range(A.shape[1]):
        decayed = torch.exp(elapsed * A[:, n].float()) * initial_state[:, None, :, n].float()
        correction += C[:, :, n : n + 1].float() * decayed
    carried = torch.exp(elapsed[:, -1, :, None] * A.float()) * initial_state.float()
    return (y.float() + correction * functional.silu(z.float())).to(y.dtype), state.float() + carried
