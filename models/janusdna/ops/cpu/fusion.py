"""The Janus fusion on a CPU: compiled kernels, forward and backward.

Tiles of queries walk over the keys that they see, as flash attention does, of both streams in one softmax. No
rows are reversed, copied or merged. Heads of all sequences are shared out among threads.

Legend: B batch, H heads, T tokens, c head size.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops import fusion
from janusdna.ops.cpu.arrays import flat
from janusdna.ops.cpu.attention_tiles import (
    KEYS_TOGETHER,
    accumulate,
    gather_tile,
    hide,
    multiply,
    sight,
    span,
)
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.math import aligned
from janusdna.ops.cpu.simd import LANES, exp2, load, maximum, spread, store, totals
from janusdna.ops.cpu.threads import run_in_slices

__all__ = ["janus_attention"]

_QUERIES = 1024
_KEYS = 128
_KEYS_BACKWARD = 64
_TILES = 4
_HALF = LANES // 2
# Beyond both, PyTorch's matrix products win: measured with heads of 8, 18 and 36 (benchmarks/fusion.py).
_NARROW, _LONG = 8, 4096

_F = np.float32
_ZERO, _ONE, _NEVER = _F(0), _F(1), _F(-1e30)
_LN2 = _F(math.log(2))


@compiled
def _rows_of_head(x: Any, first: int, stride: int, size: int, rows: Any, count: int) -> None:
    """Rows of a head, that lie `stride` apart, one behind the other."""
    for row in range(count):
        for i in range(size):
            rows[row * size + i] = x[first + row * stride + i]


@compiled
def _weigh(scores: Any, count: int, largest: Any) -> None:
    """Scores to 2^(score - largest); zeros for the keys that fill up the last eight."""
    for j in range(count):
        store(scores, j * LANES, LANES, exp2(load(scores, j * LANES, LANES) - largest))
    for j in range(count, -(-count // KEYS_TOGETHER) * KEYS_TOGETHER):
        store(scores, j * LANES, LANES, spread(_ZERO))


@compiled
def _forward(
    sizes: Any, q: Any, k: Any, v: Any, scale: Any, out: Any, lse: Any, start: int, end: int
) -> None:
    """Items are (sequence, head, stream, block of queries).

    All arrays are (B, 2T, H, c) flat; `lse` is (B, H, 2T). It and `scale` are to the base 2.
    """
    length, heads, size = sizes
    blocks, stride, held = (length + _QUERIES - 1) // _QUERIES, heads * size, -1
    keys, values = aligned((2 * length + KEYS_TOGETHER) * size), aligned((2 * length + KEYS_TOGETHER) * size)
    tile, mixed, scores = aligned(size * LANES), aligned(size * LANES), aligned(_KEYS * LANES)
    norm, top, table = aligned(LANES), aligned(LANES), sight()
    for item in range(start, end):
        head, asking, begin = item // (2 * blocks), item // blocks % 2, item % blocks * _QUERIES
        base = (head // heads * 2 * length * heads + head % heads) * size
        if head != held:
            _rows_of_head(k, base, stride, size, keys, 2 * length)
            _rows_of_head(v, base, stride, size, values, 2 * length)
            held = head
        for query in range(begin, min(begin + _QUERIES, length), LANES):
            lanes, row = min(LANES, length - query), asking * length + query
            gather_tile(q, base + row * stride, stride, size, lanes, scale, tile, 0)
            mixed[:] = _ZERO
            norm[:] = _ZERO
            top[:] = _NEVER
            for stream in range(2):
                low, high = span(asking, stream, query, query + lanes, length)
                for first in range(low, high, _KEYS):
                    count, place = min(_KEYS, high - first), stream * length + first
                    multiply(tile, 0, keys, place, count, size, scores, 0)
                    hide(table, asking, stream, query, first, count, _NEVER, scores, 0)
                    _move_top(scores, count, size, top, norm, mixed)
                    _weigh(scores, count, load(top, 0, LANES))
                    hide(table, asking, stream, query, first, count, _ZERO, scores, 0)
                    _add_to_norm(scores, count, norm)
                    accumulate(scores, 0, values, place, count, size, mixed, 0)
            for lane in range(lanes):
                lse[head * 2 * length + row + lane] = top[lane] + np.log2(norm[lane])
                for i in range(size):
                    out[base + (row + lane) * stride + i] = mixed[i * LANES + lane] / norm[lane]


@compiled
def _add_to_norm(weights: Any, count: int, norm: Any) -> None:
    total = spread(_ZERO)
    for j in range(count):
        total = total + load(weights, j * LANES, LANES)
    store(norm, 0, LANES, load(norm, 0, LANES) + total)


@compiled
def _move_top(scores: Any, count: int, size: int, top: Any, norm: Any, mixed: Any) -> None:
    """Raise the largest score to these, and shrink what was summed under the one before."""
    before = load(top, 0, LANES)
    largest = before
    for j in range(count):
        largest = maximum(load(scores, j * LANES, LANES), largest)
    shrink = exp2(before - largest)
    store(top, 0, LANES, largest)
    store(norm, 0, LANES, load(norm, 0, LANES) * shrink)
    for i in range(size):
        store(mixed, i * LANES, LANES, load(mixed, i * LANES, LANES) * shrink)


@compiled
def _backward(
    sizes: Any, q: Any, k: Any, v: Any, scale: Any, out: Any, lse: Any, dout: Any,
    dq: Any, dk: Any, dv: Any, start: int, end: int,
) -> None:  # fmt: skip
    """Items are (sequence, head), arrays as in `_forward`.

    Four tiles of queries share each block of keys, so that there are few sums over lanes.
    """
    length, heads, size = sizes
    rows, chunks = 2 * length + KEYS_TOGETHER, (size + _HALF - 1) // _HALF
    keys, values, of_keys = aligned(rows * size), aligned(rows * size), aligned(2 * length * chunks * LANES)
    padded = chunks * _HALF * LANES
    tiles, dtiles, of_tiles = aligned(_TILES * padded), aligned(_TILES * padded), aligned(_TILES * padded)
    weights, slopes = aligned(_TILES * _KEYS_BACKWARD * LANES), aligned(_TILES * _KEYS_BACKWARD * LANES)
    offsets, along, room = aligned(_TILES * LANES), aligned(_TILES * LANES), aligned(LANES * LANES)
    table, stride = sight(), heads * size
    for item in range(start, end):
        base = (item // heads * 2 * length * heads + item % heads) * size
        _rows_of_head(k, base, stride, size, keys, 2 * length)
        _rows_of_head(v, base, stride, size, values, 2 * length)
        of_keys[:] = _ZERO
        for asking in range(2):
            for query in range(0, length, _TILES * LANES):
                stop, row = min(query + _TILES * LANES, length), asking * length + query
                count_tiles = (stop - query + LANES - 1) // LANES
                of_tiles[:] = _ZERO
                for g in range(_TILES):
                    lanes, at = min(LANES, stop - query - g * LANES), row + g * LANES
                    here = base + at * stride
                    gather_tile(q, here, stride, size, lanes, scale, tiles, g * padded)
                    gather_tile(dout, here, stride, size, lanes, _ONE, dtiles, g * padded)
                    gather_tile(lse, item * 2 * length + at, 1, 1, lanes, _ONE, offsets, g * LANES)
                    for lane in range(lanes):
                        found = _ZERO
                        for i in range(size):
                            found += out[here + lane * stride + i] * dout[here + lane * stride + i]
                        along[g * LANES + lane] = found
                for stream in range(2):
                    low, high = span(asking, stream, query, stop, length)
                    for first in range(low, high, _KEYS_BACKWARD):
                        count, place = min(_KEYS_BACKWARD, high - first), stream * length + first
                        for g in range(count_tiles):
                            to, tile = g * _KEYS_BACKWARD * LANES, g * padded
                            multiply(tiles, tile, keys, place, count, size, weights, to)
                            multiply(dtiles, tile, values, place, count, size, slopes, to)
                            asked = query + g * LANES
                            hide(table, asking, stream, asked, first, count, _NEVER, weights, to)
                            _differentiate(weights, slopes, to, count, offsets, along, g * LANES)
                            hide(table, asking, stream, asked, first, count, _ZERO, weights, to)
                            hide(table, asking, stream, asked, first, count, _ZERO, slopes, to)
                            accumulate(slopes, to, keys, place, count, size, of_tiles, tile)
                        _sum_over_queries(weights, slopes, tiles, dtiles, count, chunks, room, of_keys, place)
                for g in range(count_tiles):
                    for lane in range(min(LANES, stop - query - g * LANES)):
                        for i in range(size):
                            found = of_tiles[g * padded + i * LANES + lane] * (scale * _LN2)
                            dq[base + (row + g * LANES + lane) * stride + i] = found
        for j in range(2 * length):
            for i in range(size):
                found = (j * chunks + i // _HALF) * LANES + i % _HALF
                dk[base + j * stride + i] = of_keys[found] * _LN2
                dv[base + j * stride + i] = of_keys[found + _HALF]


@compiled
def _differentiate(
    weights: Any, slopes: Any, at: int, count: int, offsets: Any, along: Any, tile: int
) -> None:
    """Scores to weights of the softmax, and gradients of weights to those of scores."""
    offset, mean = load(offsets, tile, LANES), load(along, tile, LANES)
    for j in range(at, at + count * LANES, LANES):
        weight = exp2(load(weights, j, LANES) - offset)
        store(weights, j, LANES, weight)
        store(slopes, j, LANES, weight * (load(slopes, j, LANES) - mean))
    for j in range(at + count * LANES, at - (-count // KEYS_TOGETHER) * KEYS_TOGETHER * LANES, LANES):
        store(slopes, j, LANES, spread(_ZERO))


@compiled
def _sum_over_queries(
    weights: Any,
    slopes: Any,
    tiles: Any,
    dtiles: Any,
    count: int,
    chunks: int,
    room: Any,
    of_keys: Any,
    place: int,
) -> None:
    """Add to the gradients of keys and values: eight entries of each are the lanes of a sum."""
    apart, padded = _KEYS_BACKWARD * LANES, chunks * _HALF * LANES
    for j in range(0, count * LANES, LANES):
        s, s1 = load(slopes, j, LANES), load(slopes, j + apart, LANES)
        s2, s3 = load(slopes, j + 2 * apart, LANES), load(slopes, j + 3 * apart, LANES)
        w, w1 = load(weights, j, LANES), load(weights, j + apart, LANES)
        w2, w3 = load(weights, j + 2 * apart, LANES), load(weights, j + 3 * apart, LANES)
        for chunk in range(chunks):
            for i in range(_HALF):
                at = (chunk * _HALF + i) * LANES
                a, b = at + padded, at + 2 * padded
                c = b + padded
                of_key = s * load(tiles, at, LANES) + s1 * load(tiles, a, LANES)
                of_key = of_key + s2 * load(tiles, b, LANES) + s3 * load(tiles, c, LANES)
                of_value = w * load(dtiles, at, LANES) + w1 * load(dtiles, a, LANES)
                of_value = of_value + w2 * load(dtiles, b, LANES) + w3 * load(dtiles, c, LANES)
                store(room, i * LANES, LANES, of_key)
                store(room, (_HALF + i) * LANES, LANES, of_value)
            at = (place * LANES + j) * chunks + chunk * LANES
            store(of_keys, at, LANES, load(of_keys, at, LANES) + totals(room, 0))


def janus_attention(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """As `reference.janus_attention`; by `fusion.janus_attention` where that is faster or not float32."""
    wide = q.shape[-1] > _NARROW and q.shape[2] > _LONG
    if wide or any(part.dtype != torch.float32 for part in (q, k, v)):
        return fusion.janus_attention(q, k, v, scale)
    if not torch.is_grad_enabled():
        return _attend(q, k, v, scale)[0]
    out: Tensor = _JanusAttention.apply(q, k, v, scale)  # type: ignore[no-untyped-call]
    return out


def _by_token(*heads: Tensor) -> list[Any]:
    """(B, H, 2T, c) as flat (B, 2T, H, c): as the projections gave it, without a copy."""
    return flat(*(part.transpose(1, 2) for part in heads))


def _base_2(scale: float) -> Any:
    """A factor on scores for powers of two in the place of e."""
    return np.float32(scale * math.log2(math.e))


def _attend(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The answer, and the log-sum-exp of the scores to the base 2, (B, H, 2T)."""
    batch, heads, rows, size = q.shape
    out, lse = torch.empty(batch, rows, heads, size), torch.empty(batch, heads, rows)
    length = rows // 2
    work = partial(_forward, (length, heads, size), *_by_token(q, k, v), _base_2(scale), *flat(out, lse))
    run_in_slices(work, batch * heads * 2 * -(-length // _QUERIES))
    return out.transpose(1, 2), lse


class _JanusAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        out, lse = _attend(q, k, v, scale)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        batch, heads, rows, size = q.shape
        gradients = [torch.empty(batch, rows, heads, size) for _ in range(3)]
        operands = (*_by_token(q, k, v), _base_2(ctx.scale), *_by_token(out), *flat(lse))
        work = partial(
            _backward, (rows // 2, heads, size), *operands, *_by_token(grads[0]), *flat(*gradients)
        )
        run_in_slices(work, batch * heads)
        return (*(gradient.transpose(1, 2) for gradient in gradients), None)
