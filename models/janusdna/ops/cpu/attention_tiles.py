"""Attention of sixteen queries at a time, in compiled kernels: a query is a lane of a register.

A tile holds their rows, entry i of which is tile[i * LANES + query]. Keys and values are rows one behind the
other, of which eight are in flight together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.simd import LANES, choose, load, spread, store

__all__ = ["KEYS_TOGETHER", "accumulate", "gather_tile", "hide", "multiply", "sight", "span"]

KEYS_TOGETHER = 8
_ZERO = np.float32(0)


@compiled
def sight() -> Any:
    """What `hide` reads: not seen, seen, not seen, sixteen times each."""
    table = np.full(3 * LANES, np.float32(-1))
    table[LANES : 2 * LANES] = np.float32(1)
    return table


@compiled
def span(asking: int, keys: int, first: int, end: int, length: int) -> Any:
    """Which keys of stream `keys` the queries [first, end) of stream `asking` see between them.

    Stream 0 is F, 1 is R. F_i sees F_k where k <= i and R_k where k >= i + 2, and R_j the mirror image.
    """
    apart = 0 if asking == keys else 2
    return (0, max(0, end - apart)) if keys == 0 else (min(first + apart, length), length)


@compiled
def hide(
    table: Any, asking: int, keys: int, query: int, first: int, count: int, instead: Any, tile: Any, at: int
) -> None:
    """Put `instead` for the pairs of query and key that see nothing of each other.

    The queries are the sixteen from `query` on, the keys `count` from `first` on; `tile` holds a row of the
    queries for each key, from `at` on.
    """
    apart = 0 if asking == keys else 2
    # All queries see the keys before `low`, or from `high` on.
    low = max(0, query - apart + 1 - first) if keys == 0 else 0
    high = count if keys == 0 else min(count, query + LANES - 1 + apart - first)
    for j in range(low, high):
        away = first + j - query
        if keys == 0:
            begin = LANES - min(max(away + apart, 0), LANES)
        else:
            begin = 2 * LANES - 1 - min(max(away - apart, -1), LANES - 1)
        row = at + j * LANES
        seen = choose(load(table, begin, LANES), load(tile, row, LANES), spread(instead))
        store(tile, row, LANES, seen)


@compiled
def gather_tile(
    source: Any, first: int, stride: int, size: int, lanes: int, factor: Any, tile: Any, at: int
) -> None:
    """Rows source[first + query * stride :][:size] times a factor; zeros for queries from `lanes` on."""
    for i in range(size):
        for lane in range(LANES):
            value = source[first + lane * stride + i] * factor if lane < lanes else _ZERO
            tile[at + i * LANES + lane] = value


@compiled
def multiply(tile: Any, at: int, rows: Any, first: int, count: int, size: int, out: Any, to: int) -> None:
    """out[j] = sum of tile[i] * rows[first + j][i]; `count` is rounded up to a multiple of eight."""
    for j in range(0, count, KEYS_TOGETHER):
        a, b, c, d = spread(_ZERO), spread(_ZERO), spread(_ZERO), spread(_ZERO)
        e, f, g, h = spread(_ZERO), spread(_ZERO), spread(_ZERO), spread(_ZERO)
        row = (first + j) * size
        for i in range(size):
            x, k = load(tile, at + i * LANES, LANES), row + i
            a = a + x * spread(rows[k])
            b = b + x * spread(rows[k + size])
            c = c + x * spread(rows[k + 2 * size])
            d = d + x * spread(rows[k + 3 * size])
            e = e + x * spread(rows[k + 4 * size])
            f = f + x * spread(rows[k + 5 * size])
            g = g + x * spread(rows[k + 6 * size])
            h = h + x * spread(rows[k + 7 * size])
        place = to + j * LANES
        store(out, place, LANES, a)
        store(out, place + LANES, LANES, b)
        store(out, place + 2 * LANES, LANES, c)
        store(out, place + 3 * LANES, LANES, d)
        store(out, place + 4 * LANES, LANES, e)
        store(out, place + 5 * LANES, LANES, f)
        store(out, place + 6 * LANES, LANES, g)
        store(out, place + 7 * LANES, LANES, h)


@compiled
def accumulate(
    weights: Any, at: int, rows: Any, first: int, count: int, size: int, out: Any, to: int
) -> None:
    """out[i] += sum of weights[j] * rows[first + j][i]; `count` is rounded up to a multiple of eight."""
    for j in range(0, count, KEYS_TOGETHER):
        place, row = at + j * LANES, (first + j) * size
        a, b = load(weights, place, LANES), load(weights, place + LANES, LANES)
        c, d = load(weights, place + 2 * LANES, LANES), load(weights, place + 3 * LANES, LANES)
        e, f = load(weights, place + 4 * LANES, LANES), load(weights, place + 5 * LANES, LANES)
        g, h = load(weights, place + 6 * LANES, LANES), load(weights, place + 7 * LANES, LANES)
        for i in range(size):
            k = row + i
            one = a * spread(rows[k]) + b * spread(rows[k + size])
            one = one + c * spread(rows[k + 2 * size]) + d * spread(rows[k + 3 * size])
            other = e * spread(rows[k + 4 * size]) + f * spread(rows[k + 5 * size])
            other = other + g * spread(rows[k + 6 * size]) + h * spread(rows[k + 7 * size])
            store(out, to + i * LANES, LANES, load(out, to + i * LANES, LANES) + (one + other))
