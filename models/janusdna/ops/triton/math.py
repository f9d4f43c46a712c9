"""Functions of float32 that the Triton kernels share."""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["sigmoid", "softplus"]


@triton.jit
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + tl.exp(-x))


@triton.jit
def softplus(x):
    """log(1 + exp(x)), with the relative error of float32 for any x."""
    small = tl.exp(-tl.abs(x))
    whole = 1 + small
    # log(whole) knows only the part of `small` that the sum kept; the quotient gives the rest back.
    rest = tl.where(whole == 1, 1.0, whole - 1)
    return tl.maximum(x, 0.0) + tl.where(whole == 1, small, tl.log(whole) * (small / rest))
