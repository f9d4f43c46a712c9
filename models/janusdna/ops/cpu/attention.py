"""Attention of some queries to all of many keys on a CPU, in compiled kernels.

Queries are the rows of tiles. A block of keys, and of values, stays in the nearest cache while all of them
pass it. How work is cut up depends on the shapes alone, so that the number of threads changes no result.

Legend: B batch, H heads, t queries, m keys, c head size.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops import attention
from janusdna.ops.attention import Partial
from janusdna.ops.cpu.arrays import flat, is_native, row_starts
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.math import LOG2E, aligned
from janusdna.ops.cpu.processor import multiplies_bfloat16
from janusdna.ops.cpu.softmax_tiles import (
    KEYS,
    begin_mixture,
    end_mixture,
    hold_keys,
    hold_values,
    mix,
    mixture_size,
    weigh,
)
from janusdna.ops.cpu.threads import run_in_slices
from janusdna.ops.cpu.tiles import (
    WIDE,
    gather_tile,
    multiply,
    pack,
    per_word,
    scatter_tile,
    tile_size,
)

__all__ = ["attend"]

# Keys of a part, and queries of a group, that one thread sees to at a time.
_KEYS_OF_PART, _QUERIES_OF_GROUP = 1 << 14, 512
_MOST_ITEMS = 256
# With fewer a tile is mostly empty, and PyTorch's kernel is faster (benchmarks/attention.py).
_FEWEST_QUERIES = 20

_F = np.float32
_LN2 = math.log(2)


@compiled
def _attend(
    sizes: Any, strides: Any, q: Any, k: Any, v: Any, like: Any, scale: Any, out: Any, lse: Any,
    start: int, end: int,
) -> None:  # fmt: skip
    """Items are (part of the keys, sequence, head, group of queries).

    `like` tells what is multiplied: float32, or pairs of bfloat16 as uint32. `out` is (parts, B, H, t, c) and
    `lse` (parts, B, H, t), to base 2.
    """
    parts, batch, heads, queries, keys, size = sizes
    groups = (queries + _QUERIES_OF_GROUP - 1) // _QUERIES_OF_GROUP
    tiles, turned, state = _QUERIES_OF_GROUP // WIDE, tile_size(size), mixture_size(size)
    asked, mixed, scores = aligned(tiles * turned), aligned(tiles * state), aligned(KEYS * WIDE)
    words = size // per_word(like)
    key_rows, value_rows = np.empty(KEYS * size, like.dtype), np.empty(KEYS * size, like.dtype)
    places = np.empty(WIDE, np.int64)
    for item in range(start, end):
        group, rest = item % groups, item // groups
        head, rest = rest % heads, rest // heads
        b, part = rest % batch, rest // batch
        first = group * _QUERIES_OF_GROUP
        count = min(_QUERIES_OF_GROUP, queries - first)
        used = (count + WIDE - 1) // WIDE
        for tile in range(used):
            for row in range(WIDE):
                query = min(first + tile * WIDE + row, queries - 1)
                places[row] = b * strides[0] + head * strides[1] + query * strides[2]
            own = asked[tile * turned : (tile + 1) * turned]
            gather_tile(q, places, size, own)
            pack(like, own, size)
            begin_mixture(mixed[tile * state : (tile + 1) * state], size)
        low, high = keys * part // parts, keys * (part + 1) // parts
        for key in range(low, high, KEYS):
            held = min(KEYS, high - key)
            at_k = b * strides[3] + head * strides[4] + key * strides[5]
            at_v = b * strides[6] + head * strides[7] + key * strides[8]
            hold_keys(k, at_k, strides[5], held, size, key_rows)
            hold_values(v, at_v, strides[8], held, size, value_rows)
            for tile in range(used):
                own = mixed[tile * state : (tile + 1) * state]
                multiply(asked[tile * turned : (tile + 1) * turned], key_rows, 0, words, held, scores, 0)
                weigh(scores, held, size, own, scale)
                mix(scores, value_rows, held, size, own)
        for tile in range(used):
            own = mixed[tile * state : (tile + 1) * state]
            end_mixture(own, size, scale)
            for row in range(WIDE):
                query = min(first + tile * WIDE + row, queries - 1)
                places[row] = (((part * batch + b) * heads + head) * queries + query) * size
                lse[places[row] // size] = own[size * WIDE + row]
            scatter_tile(own, 0, size, out, places, 0)


def attend(
    q: Tensor, k: Tensor, v: Tensor, scale: float, *, causal: bool = False, seen: Tensor | None = None
) -> Partial:
    """As `attention.attend`; compiled where many queries see all keys, in float32 and bfloat16."""
    few = q.shape[2] < _FEWEST_QUERIES
    if seen is not None and q.dtype == torch.bfloat16:
        # Keys under a mask are few, and PyTorch's kernel is slow in bfloat16.
        found, lse = attention.attend(q.float(), k.float(), v.float(), scale, seen=seen)
        return found.to(q.dtype), lse
    if few or causal or seen is not None or not is_native(q.dtype):
        return attention.attend(q, k, v, scale, causal=causal, seen=seen)
    (batch, heads, queries, size), keys = q.shape, k.shape[2]
    groups = -(-queries // _QUERIES_OF_GROUP)
    items = batch * heads * groups
    parts = max(1, min(-(-keys // _KEYS_OF_PART), _MOST_ITEMS // items))
    out = q.new_empty(parts, batch, heads, queries, size, dtype=torch.float32)
    lse = q.new_empty(parts, batch, heads, queries, dtype=torch.float32)
    arrays, strides = zip(*(row_starts(part) for part in (q.float(), k, v)), strict=True)
    sizes = parts, batch, heads, queries, keys, size
    in_pairs = q.dtype == k.dtype == torch.bfloat16 and size % 2 == 0 and multiplies_bfloat16()
    like = np.empty(0, np.uint32 if in_pairs else np.float32)
    work = partial(_attend, sizes, sum(strides, ()), *arrays, like, _F(scale) * LOG2E, *flat(out, lse))
    run_in_slices(work, parts * items)
    whole = (lse * _LN2).logsumexp(0)
    mixed = out[0] if parts == 1 else (out * (lse * _LN2 - whole).exp()[..., None]).sum(0)
    return mixed.to(q.dtype), whole
