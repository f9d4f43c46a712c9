"""The selective scan on a CPU: Numba kernels, forward and backward.

The recurrence runs in time order with 8 channels of 16 states in flight, so that nothing of size
(T, d_in, N) is ever allocated and B_t and C_t are loaded once for a block of channels. Blocks of
channels of all sequences are shared out among threads. Softplus, the skip and the gate join the
loop: a tile of steps is copied to a small buffer, where they run as SIMD code.

The backward pass keeps the state at every 32nd step and replays each segment before it walks back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from janusdna.ops.numba_math import LOG2E, compiled, exp2_nonpositive, silu, softplus
from janusdna.ops.threads import run_in_slices

__all__ = ["STATES", "selective_scan"]

STATES = 16
_LANES = 8
_TILE = 16
_SEGMENT = 32

_F = np.float32
_ZERO = _F(0)


@compiled
def _forward(
    x: Any, dt: Any, A2: Any, B: Any, C: Any, D: Any, z: Any, state: Any, y: Any,
    reverse: bool, start: int, end: int,
) -> None:  # fmt: skip
    """Items are (sequence, block of channels); `state` is read and left as the final one."""
    length, channels = x.shape[1], x.shape[2]
    blocks = (channels + _LANES - 1) // _LANES
    h, decay = np.empty((_LANES, STATES), _F), np.empty((_LANES, STATES), _F)
    u = np.zeros((_TILE, _LANES), _F)
    delta, gate = np.zeros((_TILE, _LANES), _F), np.zeros((_TILE, _LANES), _F)
    flat_delta, flat_gate = delta.reshape(_TILE * _LANES), gate.reshape(_TILE * _LANES)
    for item in range(start, end):
        b, first = item // blocks, (item % blocks) * _LANES
        lanes = min(_LANES, channels - first)
        for c in range(lanes):
            for n in range(STATES):
                h[c, n] = state[b, first + c, n]
                decay[c, n] = A2[first + c, n]
        for origin in range(0, length, _TILE):
            steps = min(_TILE, length - origin)
            for j in range(steps):
                t = length - 1 - origin - j if reverse else origin + j
                for c in range(lanes):
                    u[j, c] = x[b, t, first + c]
                    delta[j, c] = dt[b, t, first + c]
                    gate[j, c] = z[b, t, first + c]
            for k in range(_TILE * _LANES):
                flat_delta[k] = softplus(flat_delta[k])
            for k in range(_TILE * _LANES):
                flat_gate[k] = silu(flat_gate[k])
            for j in range(steps):
                t = length - 1 - origin - j if reverse else origin + j
                for c in range(lanes):
                    d = delta[j, c]
                    du = d * u[j, c]
                    total = _ZERO
                    for n in range(STATES):
                        new = exp2_nonpositive(d * decay[c, n]) * h[c, n] + du * B[b, t, n]
                        h[c, n] = new
                        total += new * C[b, t, n]
                    y[b, t, first + c] = (total + D[first + c] * u[j, c]) * gate[j, c]
        for c in range(lanes):
            for n in range(STATES):
                state[b, first + c, n] = h[c, n]


@compiled
def _backward(
    x: Any, delta: Any, A: Any, B: Any, C: Any, D: Any, state: Any, dy: Any,
    dx: Any, ddelta: Any, dA: Any, dB: Any, dC: Any, dstate: Any, y: Any,
    reverse: bool, start: int, end: int,
) -> None:  # fmt: skip
    """Through the recurrence, without softplus and gate; `y` is filled with C . h + D x.

    `dA` is per sequence and `dB`, `dC` per block of channels, to be summed by the caller. `dstate`
    holds the gradient of the final state and is left as that of the initial one.
    """
    length, channels = x.shape[1], x.shape[2]
    blocks = (channels + _LANES - 1) // _LANES
    segments = (length + _SEGMENT - 1) // _SEGMENT
    kept = np.empty((segments, _LANES, STATES), _F)
    before = np.empty((_SEGMENT, _LANES, STATES), _F)
    decay = np.empty((_SEGMENT, _LANES, STATES), _F)
    h, g = np.empty((_LANES, STATES), _F), np.empty((_LANES, STATES), _F)
    A2 = np.empty((_LANES, STATES), _F)
    for item in range(start, end):
        b, block = item // blocks, item % blocks
        first = block * _LANES
        lanes = min(_LANES, channels - first)
        for c in range(lanes):
            for n in range(STATES):
                h[c, n] = state[b, first + c, n]
                g[c, n] = dstate[b, first + c, n]
                A2[c, n] = A[first + c, n] * LOG2E
        for step in range(length):
            if step % _SEGMENT == 0:
                kept[step // _SEGMENT] = h
            t = length - 1 - step if reverse else step
            for c in range(lanes):
                d, u = delta[b, t, first + c], x[b, t, first + c]
                du = d * u
                total = _ZERO
                for n in range(STATES):
                    h[c, n] = exp2_nonpositive(d * A2[c, n]) * h[c, n] + du * B[b, t, n]
                    total += h[c, n] * C[b, t, n]
                y[b, t, first + c] = total + D[first + c] * u
        for segment in range(segments - 1, -1, -1):
            origin = segment * _SEGMENT
            steps = min(_SEGMENT, length - origin)
            h[:] = kept[segment]
            for j in range(steps):
                t = length - 1 - origin - j if reverse else origin + j
                for c in range(lanes):
                    d = delta[b, t, first + c]
                    du = d * x[b, t, first + c]
                    for n in range(STATES):
                        a = exp2_nonpositive(d * A2[c, n])
                        before[j, c, n] = h[c, n]
                        decay[j, c, n] = a
                        h[c, n] = a * h[c, n] + du * B[b, t, n]
            for j in range(steps - 1, -1, -1):
                t = length - 1 - origin - j if reverse else origin + j
                for c in range(lanes):
                    d, u, dout = delta[b, t, first + c], x[b, t, first + c], dy[b, t, first + c]
                    du = d * u
                    through_input, through_decay = _ZERO, _ZERO
                    for n in range(STATES):
                        a, old = decay[j, c, n], before[j, c, n]
                        up = g[c, n] + dout * C[b, t, n]
                        dC[block, b, t, n] += dout * (a * old + du * B[b, t, n])
                        dB[block, b, t, n] += up * du
                        through_input += up * B[b, t, n]
                        carried = up * a
                        through_decay += carried * old * A[first + c, n]
                        dA[b, first + c, n] += carried * old * d
                        g[c, n] = carried
                    dx[b, t, first + c] = D[first + c] * dout + d * through_input
                    ddelta[b, t, first + c] = through_decay + u * through_input
        for c in range(lanes):
            for n in range(STATES):
                dstate[b, first + c, n] = g[c, n]


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
    """As `reference.selective_scan`, computed in float32; N must be 16."""
    if initial_state is None:
        initial_state = x.new_zeros(x.shape[0], *A.shape, dtype=torch.float32)
    operands = (x, dt, A, B, C, D, z, initial_state)
    if not torch.is_grad_enabled():
        return _scan(*operands, reverse)
    y, final_state = _SelectiveScan.apply(*operands, reverse)  # type: ignore[no-untyped-call]
    return y, final_state


def _arrays(*tensors: Tensor) -> list[Any]:
    """C-contiguous float32 arrays, sharing memory where the tensors are such already."""
    return [tensor.detach().float().contiguous().numpy() for tensor in tensors]


def _items(x: Any) -> int:
    return int(x.shape[0] * -(-x.shape[2] // _LANES))


def _scan(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor, state: Tensor, reverse: bool
) -> tuple[Tensor, Tensor]:
    operands = _arrays(x, dt, A.float() * float(LOG2E), B, C, D, z)
    final = state.detach().float().clone(memory_format=torch.contiguous_format)
    y = torch.empty(x.shape, dtype=torch.float32)
    results = final.numpy(), y.numpy()
    run_in_slices(lambda start, end: _forward(*operands, *results, reverse, start, end), _items(operands[0]))
    return y.to(x.dtype), final


class _SelectiveScan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor,
        z: Tensor,
        state: Tensor,
        reverse: bool,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, dt, A, B, C, D, z, state)
        ctx.reverse = reverse
        return _scan(x, dt, A, B, C, D, z, state, reverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        x, dt, A, B, C, D, z, state = (tensor.float() for tensor in saved)
        dout, dfinal = grads[0].float(), grads[1].float()
        opening = torch.sigmoid(z)
        gate = z * opening
        batch, length, channels = x.shape
        blocks = -(-channels // _LANES)
        dx, ddelta, y = torch.empty(x.shape), torch.empty(x.shape), torch.empty(x.shape)
        dA = torch.zeros(batch, *A.shape)
        dB = torch.zeros(blocks, batch, length, STATES)
        dC = torch.zeros_like(dB)
        dstate = dfinal.clone(memory_format=torch.contiguous_format)
        dy = dout * gate
        operands = _arrays(x, functional.softplus(dt), A, B, C, D, state, dy)
        results = [tensor.numpy() for tensor in (dx, ddelta, dA, dB, dC, dstate, y)]
        run_in_slices(
            lambda start, end: _backward(*operands, *results, ctx.reverse, start, end), _items(operands[0])
        )
        ddt = ddelta * torch.sigmoid(dt)
        dz = dout * y * (opening + gate * (1 - opening))
        dD = (dy * x).sum((0, 1))
        gradients = (dx, ddt, dA.sum(0), dB.sum(0), dC.sum(0), dD, dz, dstate)
        typed = (gradient.to(operand.dtype) for gradient, operand in zip(gradients, saved, strict=True))
        return (*typed, None)
