"""Elementary functions for the compiled kernels: float32 and branchless, so that loops become SIMD code."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

__all__ = ["LOG2E", "compiled", "exp2_nonpositive", "silu", "softplus"]

_F = np.float32
LOG2E = _F(math.log2(math.e))

# 2^f on [-1/2, 1/2]: minimax in relative error with value 1 at 0, 2e-9 before rounding.
_P1, _P2, _P3 = _F(0.6931472028550946), _F(0.24022647913569), _F(0.05550332471)
_P4, _P5, _P6 = _F(0.009618437366), _F(0.001339887442), _F(0.0001535335963)
# log(1 + e) = 2 artanh(s) with s = e / (2 + e) <= 1/3.
_S3, _S5, _S7, _S9, _S11 = _F(1 / 3), _F(1 / 5), _F(1 / 7), _F(1 / 9), _F(1 / 11)
_SMALLEST_EXPONENT = _F(-126)
_ZERO, _HALF, _ONE, _TWO = _F(0), _F(0.5), _F(1), _F(2)
_EXPONENT_SHIFT = np.int32(23)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile at first use and keep the machine code, in the user's cache where the package is read-only.

    Sums may be reassociated and multiply-adds fused; NaN and infinity keep their meaning.
    """
    fastmath = {"reassoc", "contract", "nsz"}
    return njit(nogil=True, cache=True, error_model="numpy", fastmath=fastmath)(function)


@compiled
def exp2_nonpositive(z: Any) -> Any:
    """2^z for z <= 0: a polynomial on the fraction, the whole part added to the exponent's bits."""
    z = max(z, _SMALLEST_EXPONENT)
    whole = np.int32(z - _HALF)
    f = z - _F(whole)
    p = _F(_ONE + f * (_P1 + f * (_P2 + f * (_P3 + f * (_P4 + f * (_P5 + f * _P6))))))
    return np.int32(p.view(np.int32) + (whole << _EXPONENT_SHIFT)).view(np.float32)


@compiled
def softplus(x: Any) -> Any:
    """log(1 + exp(x)), exact at both ends."""
    e = exp2_nonpositive(-abs(x) * LOG2E)
    s = e / (_TWO + e)
    q = s * s
    series = _ONE + q * (_S3 + q * (_S5 + q * (_S7 + q * (_S9 + q * _S11))))
    return max(x, _ZERO) + _TWO * s * series


@compiled
def silu(x: Any) -> Any:
    """X / (1 + exp(-x))."""
    e = exp2_nonpositive(-abs(x) * LOG2E)
    return x * (_ONE if x >= _ZERO else e) / (_ONE + e)
