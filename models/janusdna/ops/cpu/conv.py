"""The depthwise convolution with its SiLU on a CPU: compiled kernels, forward and backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops.cpu.arrays import flat, is_native
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.math import aligned, sigmoid, silu
from janusdna.ops.cpu.simd import LANES, load, spread, store
from janusdna.ops.cpu.threads import run_in_slices

__all__ = ["conv_silu", "convolve_rows"]

_ROWS = 64
_ONE = np.float32(1)


@compiled
def _source(t: int, tap: int, taps: int, length: int, reverse: bool) -> Any:
    """Which row a tap meets at t: its number, and whether it is one of the K - 1 rows outside."""
    away = taps - 1 - tap
    at = t + away if reverse else t - away
    if at < 0:
        return taps - 1 + at, True
    if at >= length:
        return at - length, True
    return at, False


@compiled
def _forward(
    sizes: Any, x: Any, weight: Any, bias: Any, before: Any, y: Any, reverse: bool, start: int, end: int
) -> None:
    """Items are (sequence, block of rows); all arrays flat, the taps one after the other."""
    length, channels, taps = sizes
    blocks = (length + _ROWS - 1) // _ROWS
    for item in range(start, end):
        b, origin = item // blocks, (item % blocks) * _ROWS
        for t in range(origin, min(origin + _ROWS, length)):
            for first in range(0, channels, LANES):
                lanes = min(LANES, channels - first)
                out = load(bias, first, lanes)
                for tap in range(taps):
                    row, outside = _source(t, tap, taps, length, reverse)
                    w = load(weight, tap * channels + first, lanes)
                    if outside:
                        out = out + w * load(before, (b * (taps - 1) + row) * channels + first, lanes)
                    else:
                        out = out + w * load(x, (b * length + row) * channels + first, lanes)
                store(y, (b * length + t) * channels + first, lanes, silu(out))


@compiled
def _backward(
    sizes: Any, x: Any, weight: Any, bias: Any, before: Any, dy: Any,
    dx: Any, dweight: Any, dbias: Any, dbefore: Any, reverse: bool, start: int, end: int,
) -> None:  # fmt: skip
    """Items are (sequence, block of channels); `dweight` and `dbias` are per sequence, all but `dy` zeros."""
    length, channels, taps = sizes
    blocks = (channels + LANES - 1) // LANES
    of_taps = aligned(taps * LANES)
    for item in range(start, end):
        b, first = item // blocks, (item % blocks) * LANES
        lanes = min(LANES, channels - first)
        of_taps[:] = np.float32(0)
        of_bias = spread(np.float32(0))
        for t in range(length):
            out = load(bias, first, lanes)
            for tap in range(taps):
                row, outside = _source(t, tap, taps, length, reverse)
                w = load(weight, tap * channels + first, lanes)
                if outside:
                    out = out + w * load(before, (b * (taps - 1) + row) * channels + first, lanes)
                else:
                    out = out + w * load(x, (b * length + row) * channels + first, lanes)
            opening = sigmoid(out)
            slope = opening * (spread(_ONE) + out * (spread(_ONE) - opening))
            gradient = load(dy, (b * length + t) * channels + first, lanes) * slope
            of_bias = of_bias + gradient
            for tap in range(taps):
                row, outside = _source(t, tap, taps, length, reverse)
                share = gradient * load(weight, tap * channels + first, lanes)
                if outside:
                    at = (b * (taps - 1) + row) * channels + first
                    met = load(before, at, lanes)
                    store(dbefore, at, lanes, load(dbefore, at, lanes) + share)
                else:
                    at = (b * length + row) * channels + first
                    met = load(x, at, lanes)
                    store(dx, at, lanes, load(dx, at, lanes) + share)
                store(of_taps, tap * LANES, LANES, load(of_taps, tap * LANES, LANES) + gradient * met)
        store(dbias, b * channels + first, lanes, of_bias)
        for tap in range(taps):
            at = (b * taps + tap) * channels + first
            store(dweight, at, lanes, load(of_taps, tap * LANES, LANES))


@compiled
def convolve_rows(sizes: Any, x: Any, weight: Any, bias: Any, before: Any, y: Any, reverse: bool) -> None:
    """Some rows of one sequence, `sizes` as in `_forward`; `before` are the rows outside."""
    _forward(sizes, x, weight, bias, before, y, reverse, 0, (sizes[0] + _ROWS - 1) // _ROWS)


def conv_silu(
    x: Tensor, weight: Tensor, bias: Tensor, before: Tensor | None = None, *, reverse: bool = False
) -> Tensor:
    """As `reference.conv_silu`, computed in float32."""
    if before is None:
        before = x.new_zeros(x.shape[0], weight.shape[1] - 1, x.shape[2])
    if not torch.is_grad_enabled():
        return _convolve(x, weight, bias, before, reverse)
    out: Tensor = _ConvSilu.apply(x, weight, bias, before, reverse)  # type: ignore[no-untyped-call]
    return out


def _convolve(x: Tensor, weight: Tensor, bias: Tensor, before: Tensor, reverse: bool) -> Tensor:
    y = torch.empty(x.shape, dtype=x.dtype if is_native(x.dtype) else torch.float32)
    sizes = (*x.shape[1:], weight.shape[1])
    work = partial(_forward, sizes, *flat(x, weight.T, bias, before, y), reverse)
    run_in_slices(work, x.shape[0] * -(-x.shape[1] // _ROWS))
    return y.to(x.dtype)


class _ConvSilu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, before: Tensor, reverse: bool) -> Tensor:
        ctx.save_for_backward(x, weight, bias, before)
        ctx.reverse = reverse
        return _convolve(x, weight, bias, before, reverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        operands = ctx.saved_tensors
        x, weight, bias, before = operands
        batch, _, channels = x.shape
        sizes = (*x.shape[1:], weight.shape[1])
        dx, dbefore = torch.zeros(x.shape), torch.zeros(before.shape)
        dweight, dbias = torch.zeros(batch, sizes[2], channels), torch.zeros(batch, channels)
        arrays = flat(x, weight.T, bias, before, grads[0], dx, dweight, dbias, dbefore)
        run_in_slices(partial(_backward, sizes, *arrays, ctx.reverse), batch * -(-channels // LANES))
        gradients = (dx, dweight.sum(0).T, dbias.sum(0), dbefore)
        typed = (gradient.to(operand.dtype) for gradient, operand in zip(gradients, operands, strict=True))
        return (*typed, None)
