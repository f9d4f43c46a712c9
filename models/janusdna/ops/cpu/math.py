"""What the compiled kernels share: aligned buffers and the activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.simd import LANES, absolute, choose, exp2, maximum, spread

__all__ = ["LOG2E", "aligned", "sigmoid", "silu", "softplus"]

_F = np.float32
LOG2E = _F(math.log2(math.e))

# log(1 + e) = 2 artanh(s) with s = e / (2 + e) <= 1/3.
_S3, _S5, _S7, _S9, _S11 = _F(1 / 3), _F(1 / 5), _F(1 / 7), _F(1 / 9), _F(1 / 11)
_ZERO, _ONE, _TWO = _F(0), _F(1), _F(2)


@compiled
def aligned(size: int) -> Any:
    """A float32 buffer from the beginning of a cache line on, so that no register crosses one."""
    buffer = np.zeros(size + LANES, _F)
    skip = -(buffer.ctypes.data // 4) % LANES
    return buffer[skip : skip + size]


@compiled
def softplus(x: Any) -> Any:
    """log(1 + exp(x)), exact at both ends."""
    e = exp2(absolute(x) * spread(-LOG2E))
    s = e / (spread(_TWO) + e)
    q = s * s
    series = spread(_S7) + q * (spread(_S9) + q * spread(_S11))
    series = spread(_ONE) + q * (spread(_S3) + q * (spread(_S5) + q * series))
    return maximum(spread(_ZERO), x) + spread(_TWO) * s * series


@compiled
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    e = exp2(absolute(x) * spread(-LOG2E))
    return choose(x, spread(_ONE), e) / (spread(_ONE) + e)


@compiled
def silu(x: Any) -> Any:
    """Of x: x / (1 + exp(-x))."""
    return x * sigmoid(x)
