"""The attention of targets' rows in Triton: keys and values are read once, split among a GPU's processors.

Few rows against all keys of a window are bound by the keys' way out of memory. Each program takes some rows
and a part of the keys; the parts are merged by their log-sum-exp.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from janusdna.ops.triton.launch import launch

__all__ = ["target_attention"]

_KEYS = 64
# Programs that keep a GPU busy, and keys that are worth one.
_PROGRAMS_WANTED = 1024
_FEWEST_KEYS = 512


def target_attention(q: Tensor, k: Tensor, v: Tensor, targets: Tensor, scale: float) -> Tensor:
    """As `reference.target_attention`, without a gradient, in float32 inside."""
    q, k, v, targets = (operand.contiguous() for operand in (q, k, v, targets))
    batch, heads, rows, size = q.shape
    block = 16 if rows <= 16 else 64
    programs = batch * heads * triton.cdiv(rows, block)
    parts = max(1, min(_PROGRAMS_WANTED // programs, k.shape[2] // _FEWEST_KEYS))
    part = triton.cdiv(triton.cdiv(k.shape[2], parts), _KEYS) * _KEYS
    parts = triton.cdiv(k.shape[2], part)
    out = q.new_empty(parts, *q.shape, dtype=torch.float32)
    lse = q.new_empty(parts, batch, heads, rows, dtype=torch.float32)
    grid = batch * heads * parts, triton.cdiv(rows, block)
    sizes = rows, k.shape[2] // 2, size, heads, part, parts
    width = max(16, triton.next_power_of_2(size))
    # Products of so few rows take less time in float32 than the keys take to come.
    exact = rows <= 16 or q.dtype == torch.float32
    constants = {"ROWS": block, "KEYS": _KEYS, "SIZE": width, "EXACT": exact}
    launch(_attend, grid, q, k, v, targets, out, lse, scale, *sizes, **constants)
    shares = (lse - lse.logsumexp(0)).exp()
    return (out * shares[..., None]).sum(0).to(q.dtype)


@triton.jit
def _attend(
    q, k, v, targets, out, lse, scale, rows, length, size, heads, part, parts,
    ROWS: tl.constexpr, KEYS: tl.constexpr, SIZE: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """Rows [first of all targets, then their second] of one head and sequence, over a part of the keys."""
    place = tl.program_id(0).to(tl.int64) // parts
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, SIZE)
    asking = (row < rows)[:, None] & (column < size)[None, :]
    at = (place * rows + row)[:, None] * size + column[None, :]
    query = tl.load(q + at, mask=asking, other=0.0)
    if EXACT:
        query = query.to(tl.float32)
    half = rows // 2
    target = tl.load(targets + place // heads * half + row % half, mask=row < rows, other=0)
    most = tl.full((ROWS,), float("-inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    mixed = tl.zeros((ROWS, SIZE), tl.float32)
    begin = tl.program_id(0) % parts * part
    for first in range(begin, min(begin + part, 2 * length), KEYS):
        key = first + tl.arange(0, KEYS)
        known = (key < 2 * length)[:, None] & (column < size)[None, :]
        source = (place * 2 * length + key)[:, None] * size + column[None, :]
        keys = tl.load(k + source, mask=known, other=0.0)
        values = tl.load(v + source, mask=known, other=0.0)
        if EXACT:
            keys, values = keys.to(tl.float32), values.to(tl.float32)
        # R of the position `key`, then F of `key` - T.
        behind = (key < length)[None, :] & (key[None, :] > target[:, None])
        before = (key >= length)[None, :] & ((key - length)[None, :] < target[:, None])
        seen = (behind | before) & (key < 2 * length)[None, :]
        scores = tl.dot(query, tl.trans(keys), input_precision="ieee") * (scale * 1.4426950408889634)
        scores = tl.where(seen, scores, float("-inf"))
        highest = tl.maximum(most, tl.max(scores, axis=1))
        # Where nothing was seen yet there is nothing to scale, and no infinity to take from another.
        level = tl.where(highest == float("-inf"), 0.0, highest)
        weights = tl.exp2(scores - level[:, None])
        kept = tl.exp2(most - level)
        total = total * kept + tl.sum(weights, axis=1)
        mixed = mixed * kept[:, None]
        mixed += tl.dot(weights.to(values.dtype), values, input_precision="ieee")
        most = highest
    whole = tl.where(total == 0, 1.0, total)
    place += (tl.program_id(0) % parts).to(tl.int64) * (tl.num_programs(0) // parts)
    tl.store(lse + place * rows + row, (most + tl.log2(whole)) * 0.6931471805599453, mask=row < rows)
    at = (place * rows + row)[:, None] * size + column[None, :]
    tl.store(out + at, mixed / whole[:, None], mask=asking)
