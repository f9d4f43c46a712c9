"""The depthwise convolution with its SiLU on a CPU: one Numba loop over rows of channels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.numba_math import compiled, silu
from janusdna.ops.threads import run_in_slices

__all__ = ["conv_silu"]

_ROWS = 64


@compiled
def _forward(x: Any, taps: Any, bias: Any, before: Any, y: Any, reverse: bool, start: int, end: int) -> None:
    """Items are (sequence, block of rows)."""
    length, channels = x.shape[1], x.shape[2]
    count = taps.shape[0]
    blocks = (length + _ROWS - 1) // _ROWS
    for item in range(start, end):
        b, first = item // blocks, (item % blocks) * _ROWS
        for t in range(first, min(first + _ROWS, length)):
            row = y[b, t]
            row[:] = bias
            for tap in range(count):
                away = count - 1 - tap
                at = t + away if reverse else t - away
                if at < 0:
                    source = before[b, count - 1 + at]
                elif at >= length:
                    source = before[b, at - length]
                else:
                    source = x[b, at]
                weight = taps[tap]
                for c in range(channels):
                    row[c] += weight[c] * source[c]
            for c in range(channels):
                row[c] = silu(row[c])


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
    y = torch.empty(x.shape, dtype=torch.float32)
    tensors = (x, weight.T, bias, before)
    operands = [tensor.detach().float().contiguous().numpy() for tensor in tensors]
    out = y.numpy()
    items = x.shape[0] * -(-x.shape[1] // _ROWS)
    run_in_slices(lambda start, end: _forward(*operands, out, reverse, start, end), items)
    return y.to(x.dtype)


class _ConvSilu(torch.autograd.Function):
    """The backward pass differentiates the reference, recomputed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, before: Tensor, reverse: bool) -> Tensor:
        ctx.save_for_backward(x, weight, bias, before)
        ctx.reverse = reverse
        return _convolve(x, weight, bias, before, reverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        operands = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
        with torch.enable_grad():
            y = reference.conv_silu(*operands, reverse=ctx.reverse)
        return (*torch.autograd.grad(y, operands, grads), None)
