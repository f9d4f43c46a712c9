"""Which keys of the two streams the queries of a tile see: the mask of the fusion in compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.simd import LANES, choose, load, spread, store
from janusdna.ops.cpu.tiles import WIDE

__all__ = ["hide", "sight", "span"]


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
    queries for each key, from `at` on, as tiles do.
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
        row = at + j * WIDE
        seen = choose(load(table, begin, LANES), load(tile, row, LANES), spread(instead))
        store(tile, row, LANES, seen)
