"""The selective scan on a CPU: Numba kernels, forward and backward.

The recurrence runs in time order with 8 channels of 16 states in flight, so that nothing of size
(T, d_in, N) is ever allocated and B_t and C_t are loaded once for a block of channels. Blocks of
channels of all sequences are shared out among threads. exp(delta A) is 2^z by a polynomial on the
fraction of z and an addition to the exponent's bits.

The backward pass keeps the state at every 32nd step and replays each segment before it walks back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from janusdna.ops.threads import run_in_slices

__all__ = ["STATES", "selective_scan"]

STATES = 16
_LANES = 8
_SEGMENT = 32

_F = np.float32
# 2^f on [-1/2, 1/2]: minimax in relative error with value 1 at 0, 2e-9 before rounding.
_P1, _P2, _P3, _P4, _P5, _P6 = (
    _F(c)
    for c in (
        0.6931472028550946,
        0.24022647913569,
        0.05550332471,
        0.009618437366,
        0.001339887442,
        0.0001535335963,
    )
)
_SMALLEST_EXPONENT = _F(-126)
_HALF, _ONE, _ZERO = _F(0.5), _F(1), _F(0)
_EXPONENT_SHIFT = np.int32(23)
_LOG2E = _F(math.log2(math.e))


def _compiled(function: Callable[..., Any]) -> Any:
    """Sums may be reassociated and multiply-adds fused; NaN and infinity keep their meaning."""
    fastmath = {"reassoc", "contract", "nsz"}
    return njit(nogil=True, cache=True, error_model="numpy", fastmath=fastmath)(function)


@_compiled
def _exp2(z: Any) -> Any:
    """2^z for z <= 0."""
    z = max(z, _SMALLEST_EXPONENT)
    whole = np.int32(z - _HALF)
    f = z - _F(whole)
    p = _F(_ONE + f * (_P1 + f * (_P2 + f * (_P3 + f * (_P4 + f * (_P5 + f * _P6))))))
    return np.int32(p.view(np.int32) + (whole << _EXPONENT_SHIFT)).view(np.float32)


@_compiled
def _forward(
    x: Any,
    delta: Any,
    A2: Any,
    B: Any,
    C: Any,
    D: Any,
    state: Any,
    y: Any,
    reverse: bool,
    start: int,
    end: int,
) -> None:
    """Items are (sequence, block of channels); `state` is read and left as the final one."""
    length, channels = x.shape[1], x.shape[2]
    blocks = (channels + _LANES - 1) // _LANES
    h = np.empty((_LANES, STATES), _F)
    for item in range(start, end):
        b, first = item // blocks, (item % blocks) * _LANES
        lanes = min(_LANES, channels - first)
        for c in range(lanes):
            for n in range(STATES):
                h[c, n] = state[b, first + c, n]
        for step in range(length):
            t = length - 1 - step if reverse else step
            for c in range(lanes):
                d, u = delta[b, t, first + c], x[b, t, first + c]
                du = d * u
                total = _ZERO
                for n in range(STATES):
                    new = _exp2(d * A2[first + c, n]) * h[c, n] + du * B[b, t, n]
                    h[c, n] = new
                    total += new * C[b, t, n]
                y[b, t, first + c] = total + D[first + c] * u
        for c in range(lanes):
            for n in range(STATES):
                state[b, first + c, n] = h[c, n]


@_compiled
def _backward(
    x: Any, delta: Any, A: Any, B: Any, C: Any, D: Any, state: Any, dy: Any,
    dx: Any, ddelta: Any, dA: Any, dB: Any, dC: Any, dstate: Any,
    reverse: bool, start: int, end: int,
) -> None:  # fmt: skip
    """`dA` is per sequence and `dB`, `dC` per block of channels, to be summed by the caller.

    `dstate` holds the gradient of the final state and is left as that of the initial one.
    """
    length, channels = x.shape[1], x.shape[2]
    blocks = (channels + _LANES - 1) // _LANES
    segments = (length + _SEGMENT - 1) // _SEGMENT
    kept = np.empty((segments, _LANES, STATES), _F)
    before = np.empty((_SEGMENT, _LANES, STATES), _F)
    decay = np.empty((_SEGMENT, _LANES, STATES), _F)
    h = np.empty((_LANES, STATES), _F)
    g = np.empty((_LANES, STATES), _F)
    A2 = np.empty((_LANES, STATES), _F)
    for item in range(start, end):
        b, block = item // blocks, item % blocks
        first = block * _LANES
        lanes = min(_LANES, channels - first)
        for c in range(lanes):
            for n in range(STATES):
                h[c, n] = state[b, first + c, n]
                g[c, n] = dstate[b, first + c, n]
                A2[c, n] = A[first + c, n] * _LOG2E
        for step in range(length):
            if step % _SEGMENT == 0:
                kept[step // _SEGMENT] = h
            t = length - 1 - step if reverse else step
            for c in range(lanes):
                d = delta[b, t, first + c]
                du = d * x[b, t, first + c]
                for n in range(STATES):
                    h[c, n] = _exp2(d * A2[c, n]) * h[c, n] + du * B[b, t, n]
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
                        a = _exp2(d * A2[c, n])
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
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    initial_state: Tensor | None = None,
    *,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """As `reference.selective_scan`, computed in float32; N must be 16."""
    if initial_state is None:
        initial_state = x.new_zeros(x.shape[0], *A.shape, dtype=torch.float32)
    y, final_state = _SelectiveScan.apply(x, delta, A, B, C, D, initial_state, reverse)  # type: ignore[no-untyped-call]
    return y, final_state


def _arrays(*tensors: Tensor) -> list[Any]:
    """C-contiguous float32 arrays, sharing memory where the tensors are such already."""
    return [tensor.detach().float().contiguous().numpy() for tensor in tensors]


def _items(x: Any) -> int:
    return int(x.shape[0] * -(-x.shape[2] // _LANES))


class _SelectiveScan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        delta: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor,
        state: Tensor,
        reverse: bool,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, delta, A, B, C, D, state)
        ctx.reverse = reverse
        operands = _arrays(x, delta, A * float(_LOG2E), B, C, D)
        final = state.detach().float().clone(memory_format=torch.contiguous_format)
        y = torch.empty(x.shape, dtype=torch.float32)
        carried, out = final.numpy(), y.numpy()
        run_in_slices(
            lambda start, end: _forward(*operands, carried, out, reverse, start, end), _items(operands[0])
        )
        return y.to(x.dtype), final

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        dy, dfinal = grads
        saved = ctx.saved_tensors
        x, A = saved[0], saved[2]
        batch, length, channels = x.shape
        blocks = -(-channels // _LANES)
        dx, ddelta = torch.empty(x.shape), torch.empty(x.shape)
        dA = torch.zeros(batch, *A.shape)
        dB = torch.zeros(blocks, batch, length, STATES)
        dC = torch.zeros_like(dB)
        dstate = dfinal.float().clone(memory_format=torch.contiguous_format)
        operands = _arrays(*saved, dy)
        results = [tensor.numpy() for tensor in (dx, ddelta, dA, dB, dC, dstate)]
        run_in_slices(
            lambda start, end: _backward(*operands, *results, ctx.reverse, start, end), _items(operands[0])
        )
        dD = (dy.float() * x.float()).sum((0, 1))
        gradients = (dx, ddelta, dA.sum(0), dB.sum(0), dC.sum(0), dD, dstate)
        typed = (gradient.to(operand.dtype) for gradient, operand in zip(gradients, saved, strict=True))
        return (*typed, None)
