"""Attention of tiles of queries to blocks of keys, as flash attention does it: one softmax over many blocks.

A mixture is a tile of what its queries have mixed of values so far, followed by each query's largest score
and by the sum of its weights. Scores and what is made of them are to the base 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.simd import LANES, exp2, load, maximum, spread, store
from janusdna.ops.cpu.tiles import WIDE

__all__ = ["KEYS", "NEVER", "begin_mixture", "copy_rows", "end_mixture", "mixture_size", "weigh"]

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
def weigh(scores: Any, count: int, size: int, own: Any) -> None:
    """Scores to 2^(score - largest); what was mixed before shrinks where the largest grows."""
    for lane in range(0, WIDE, LANES):
        at_top, at_norm = size * WIDE + lane, (size + 1) * WIDE + lane
        before = load(own, at_top, LANES)
        largest = before
        for j in range(count):
            largest = maximum(load(scores, j * WIDE + lane, LANES), largest)
        total = spread(_ZERO)
        for j in range(count):
            weight = exp2(load(scores, j * WIDE + lane, LANES) - largest)
            total = total + weight
            store(scores, j * WIDE + lane, LANES, weight)
        shrink = exp2(before - largest)
        store(own, at_top, LANES, largest)
        store(own, at_norm, LANES, load(own, at_norm, LANES) * shrink + total)
        for i in range(lane, size * WIDE, WIDE):
            store(own, i, LANES, load(own, i, LANES) * shrink)


@compiled
def end_mixture(own: Any, size: int) -> None:
    """The mixture by the sum of its weights; in place of the largest score the log-sum-exp, to base 2."""
    for lane in range(0, WIDE, LANES):
        share = spread(_ONE) / load(own, (size + 1) * WIDE + lane, LANES)
        for i in range(lane, size * WIDE, WIDE):
            store(own, i, LANES, load(own, i, LANES) * share)
    for row in range(WIDE):
        own[size * WIDE + row] += np.log2(own[(size + 1) * WIDE + row])
