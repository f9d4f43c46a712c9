"""The depthwise convolution with its SiLU in Triton: one pass over the rows, forward and backward.

Steps count in the order of the walk: with `REVERSE` step s is row T - 1 - s. The K - 1 rows before the
walk are its steps -(K - 1) to -1.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from janusdna.ops.triton.launch import launch
from janusdna.ops.triton.math import sigmoid

__all__ = ["conv_silu"]

_STEPS, _CHANNELS = 16, 64


def conv_silu(
    x: Tensor, weight: Tensor, bias: Tensor, before: Tensor | None = None, *, reverse: bool = False
) -> Tensor:
    """As `reference.conv_silu`, in float32 inside."""
    if before is None:
        before = x.new_zeros(x.shape[0], weight.shape[1] - 1, x.shape[2])
    out: Tensor = _ConvSilu.apply(x, weight, bias, before, reverse)
    return out


class _ConvSilu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, before: Tensor, reverse: bool) -> Tensor:
        x, before, taps = x.contiguous(), before.contiguous(), weight.T.contiguous()
        y = torch.empty_like(x)
        ctx.reverse = reverse
        ctx.save_for_backward(x, before, taps, bias)
        _run(_forward, _blocks(x, 0), x, before, taps, bias, y, reverse=reverse)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, before, taps, bias = ctx.saved_tensors
        dx, dbefore = torch.empty_like(x), torch.empty_like(before)
        blocks = _blocks(x, before.shape[1])
        sums = x.new_empty(x.shape[0] * blocks, 1 + taps.shape[0], x.shape[2], dtype=torch.float32)
        given = x, before, taps, bias, grads[0].contiguous()
        _run(_backward, blocks, *given, dx, dbefore, sums, reverse=ctx.reverse)
        dbias, *dtaps = sums.sum(0)
        return dx, torch.stack(dtaps, dim=1).to(taps.dtype), dbias.to(bias.dtype), dbefore, None


def _blocks(x: Tensor, more: int) -> int:
    """Blocks of a sequence's steps and `more`."""
    return int(triton.cdiv(x.shape[1] + more, _STEPS))


def _run(kernel: Any, blocks: int, *operands: Tensor, reverse: bool) -> None:
    x, _, taps, *_ = operands
    batch, length, channels = x.shape
    grid = batch * blocks, triton.cdiv(channels, _CHANNELS)
    constants = {"TAPS": taps.shape[0], "STEPS": _STEPS, "BLOCK": _CHANNELS, "REVERSE": reverse}
    launch(kernel, grid, *operands, length, channels, blocks, **constants)


@triton.jit
def _forward(
    x, before, taps, bias, y, length, channels, blocks,
    TAPS: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    sequence = tl.program_id(0).to(tl.int64) // blocks
    d = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    s = tl.program_id(0) % blocks * STEPS + tl.arange(0, STEPS)
    raw = _convolved(x, before, taps, bias, sequence, s, d, length, channels, TAPS, REVERSE)
    place = _place(sequence, s, d, length, channels, REVERSE)
    inside = (s < length)[:, None] & (d < channels)[None, :]
    tl.store(y + place, (raw * sigmoid(raw)).to(y.dtype.element_ty), mask=inside)


@triton.jit
def _backward(
    x, before, taps, bias, dy, dx, dbefore, sums, length, channels, blocks,
    TAPS: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    """The gradients at some steps, those before the walk included, and sums for those of bias and taps."""
    sequence = tl.program_id(0).to(tl.int64) // blocks
    d = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    s = tl.program_id(0) % blocks * STEPS + tl.arange(0, STEPS) - (TAPS - 1)
    known = d < channels
    found = tl.zeros((STEPS, BLOCK), tl.float32)
    own = _raw_gradient(x, before, taps, bias, dy, sequence, s, d, length, channels, TAPS, REVERSE)
    place = tl.program_id(0).to(tl.int64) * (1 + TAPS) * channels + d
    tl.store(sums + place, tl.sum(own, axis=0), mask=known)
    for tap in tl.static_range(TAPS):
        away = TAPS - 1 - tap
        seen = _rows(x, before, sequence, s - away, d, length, channels, TAPS, REVERSE)
        tl.store(sums + place + (1 + tap) * channels, tl.sum(own * seen, axis=0), mask=known)
        later = _raw_gradient(
            x, before, taps, bias, dy, sequence, s + away, d, length, channels, TAPS, REVERSE
        )
        found += later * tl.load(taps + tap * channels + d, mask=known, other=0.0).to(tl.float32)[None, :]
    within = (s >= 0) & (s < length)
    place = _place(sequence, s, d, length, channels, REVERSE)
    tl.store(dx + place, found.to(dx.dtype.element_ty), mask=within[:, None] & known[None, :])
    place = _place_before(sequence, s, d, channels, TAPS, REVERSE)
    tl.store(dbefore + place, found.to(dbefore.dtype.element_ty), mask=(s < 0)[:, None] & known[None, :])


@triton.jit
def _raw_gradient(
    x, before, taps, bias, dy, sequence, s, d, length, channels, TAPS: tl.constexpr, REVERSE: tl.constexpr
):
    """The gradient of the convolution before its SiLU at steps s, zero outside the sequence."""
    raw = _convolved(x, before, taps, bias, sequence, s, d, length, channels, TAPS, REVERSE)
    inside = ((s >= 0) & (s < length))[:, None] & (d < channels)[None, :]
    place = _place(sequence, s, d, length, channels, REVERSE)
    dout = tl.load(dy + place, mask=inside, other=0.0).to(tl.float32)
    opened = sigmoid(raw)
    return dout * opened * (1 + raw * (1 - opened))


@triton.jit
def _convolved(
    x, before, taps, bias, sequence, s, d, length, channels, TAPS: tl.constexpr, REVERSE: tl.constexpr
):
    known = d < channels
    raw = tl.load(bias + d, mask=known, other=0.0).to(tl.float32)[None, :]
    for tap in tl.static_range(TAPS):
        weight = tl.load(taps + tap * channels + d, mask=known, other=0.0).to(tl.float32)
        seen = _rows(x, before, sequence, s - (TAPS - 1 - tap), d, length, channels, TAPS, REVERSE)
        raw = raw + weight[None, :] * seen
    return raw


@triton.jit
def _rows(x, before, sequence, s, d, length, channels, TAPS: tl.constexpr, REVERSE: tl.constexpr):
    """Rows at steps s, (STEPS, BLOCK); zeros where there is none."""
    known = (d < channels)[None, :]
    within = ((s >= 0) & (s < length))[:, None] & known
    edge = ((s < 0) & (s > -TAPS))[:, None] & known
    own = tl.load(x + _place(sequence, s, d, length, channels, REVERSE), mask=within, other=0.0)
    earlier = tl.load(before + _place_before(sequence, s, d, channels, TAPS, REVERSE), mask=edge, other=0.0)
    return own.to(tl.float32) + earlier.to(tl.float32)


@triton.jit
def _place(sequence, s, d, length, channels, REVERSE: tl.constexpr):
    row = sequence * length + (length - 1 - s if REVERSE else s)
    return row[:, None] * channels + d[None, :]


@triton.jit
def _place_before(sequence, s, d, channels, TAPS: tl.constexpr, REVERSE: tl.constexpr):
    row = sequence * (TAPS - 1) + (-1 - s if REVERSE else TAPS - 1 + s)
    return row[:, None] * channels + d[None, :]
