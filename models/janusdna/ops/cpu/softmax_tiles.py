"""Attention of tiles of queries to blocks of keys, as flash attention does it: one softmax over many blocks.

A mixture is a tile of what its queries have mixed of values so far, followed by each query's largest product
and by the sum of its weights. Scores are products times a scale; they are to the base 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.simd import LANES, exp2, fused, load, maximum, spread, store
from janusdna.ops.cpu.tiles import WIDE, accumulate, pack, per_word

__all__ = [
    "KEYS",
    "NEVER",
    "begin_mixture",
    "copy_rows",
    "end_mixture",
    "hold_keys",
    "hold_values",
    "mix",
    "mixture_size",
    "weigh",
]

# Keys that are in the nearest cache together, with their scores of a tile.
KEYS = 64
_F = np.float32
_ZERO, _ONE = _F(0), _F(1)
# The score of a key that is not seen, and one that is less than any that is.
NEVER, _LOWEST = _F(-1e30), _F(-1e29)


@compiled
def mixture_size(size: int) -> int:
    """Values of a mixture of values of so many entries."""
    return (size + 2) * WIDE


@compiled
def begin_mixture(own: Any, size: int) -> None:
    """Nothing seen yet."""
    own[:] = _ZERO
    own[size * WIDE : (size + 1) * WIDE] = _LOWEST


@compiled
def copy_rows(source: Any, first: int, stride: int, count: int, size: int, rows: Any) -> None:
    """Rows that lie `stride` apart, one behind the other, as float32."""
    for row in range(count):
        for i in range(0, size, LANES):
            lanes = min(LANES, size - i)
            store(rows, row * size + i, lanes, load(source, first + row * stride + i, lanes))


@compiled
def hold_keys(source: Any, first: int, stride: int, count: int, size: int, rows: Any) -> None:
    """Keys as `multiply` takes them from `rows`: float32, or bfloat16 as it is, in pairs."""
    if per_word(rows) == 1:
        copy_rows(source, first, stride, count, size, rows)
        return
    halves = rows.view(np.uint16)
    for row in range(count):
        for i in range(size):
            halves[row * size + i] = source[first + row * stride + i]


@compiled
def hold_values(source: Any, first: int, stride: int, count: int, size: int, rows: Any) -> None:
    """Values as `accumulate` takes them: float32, or bfloat16 in pairs of two rows, the last with zeros."""
    if per_word(rows) == 1:
        copy_rows(source, first, stride, count, size, rows)
        return
    halves = rows.view(np.uint16)
    for row in range(count + count % 2):
        for i in range(size):
            value = source[first + row * stride + i] if row < count else np.uint16(0)
            halves[(row // 2 * size + i) * 2 + row % 2] = value


@compiled
def mix(weights: Any, rows: Any, count: int, size: int, own: Any) -> None:
    """Add weighted values to a mixture; the weights are used up."""
    if per_word(rows) == 2:
        even = count + count % 2
        weights[count * WIDE : even * WIDE] = _ZERO
        pack(rows, weights, even)
    accumulate(weights, rows, 0, size, (count + per_word(rows) - 1) // per_word(rows), own)


@compiled
def weigh(scores: Any, count: int, size: int, own: Any, scale: Any) -> None:
    """Products to 2^(scale * (product - largest)); what was mixed before shrinks where the largest grows."""
    for lane in range(0, WIDE, LANES):
        at_top, at_norm = size * WIDE + lane, (size + 1) * WIDE + lane
        before = load(own, at_top, LANES)
        largest = before
        for j in range(count):
            largest = maximum(load(scores, j * WIDE + lane, LANES), largest)
        total, factor = spread(_ZERO), spread(scale)
        offset = spread(_ZERO) - largest * factor
        for j in range(count):
            weight = exp2(fused(load(scores, j * WIDE + lane, LANES), factor, offset))
            total = total + weight
            store(scores, j * WIDE + lane, LANES, weight)
        shrink = exp2((before - largest) * factor)  # exactly 1 where it stays, however many blocks there are
        store(own, at_top, LANES, largest)
        store(own, at_norm, LANES, load(own, at_norm, LANES) * shrink + total)
        for i in range(lane, size * WIDE, WIDE):
            store(own, i, LANES, load(own, i, LANES) * shrink)


@compiled
def end_mixture(own: Any, size: int, scale: Any) -> None:
    """The mixture by the sum of its weights; in place of the largest product the log-sum-exp of scores."""
    for lane in range(0, WIDE, LANES):
        share = spread(_ONE) / load(own, (size + 1) * WIDE + lane, LANES)
        for i in range(lane, size * WIDE, WIDE):
            store(own, i, LANES, load(own, i, LANES) * share)
    for row in range(WIDE):
        own[size * WIDE + row] = own[size * WIDE + row] * scale + np.log2(own[(size + 1) * WIDE + row])
