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
from janusdna.ops.cpu.arrays import flat, is_native
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.janus_mask import hide, sight, span
from janusdna.ops.cpu.math import LOG2E, aligned
from janusdna.ops.cpu.simd import LANES, exp2, load, spread, store
from janusdna.ops.cpu.softmax_tiles import (
    KEYS,
    NEVER,
    begin_mixture,
    copy_rows,
    end_mixture,
    mixture_size,
    weigh,
)
from janusdna.ops.cpu.threads import run_in_slices
from janusdna.ops.cpu.tiles import WIDE, accumulate, gather_tile, multiply, scatter_tile, tile_size

__all__ = ["janus_attention"]

# Queries that share what is held of keys.
_QUERIES = 512

_F = np.float32
_ZERO, _ONE = _F(0), _F(1)
_LN2 = _F(math.log(2))
# Of a lane without a query: under it every score weighs nothing.
_FAR_ABOVE = _F(1e30)


@compiled
def _places(first: int, stop: int, stride: int, base: int, nowhere: int, places: Any) -> None:
    """Of a tile's rows from `first` on; those from `stop` on are not there."""
    for row in range(WIDE):
        places[row] = base + (first + row) * stride if first + row < stop else nowhere


@compiled
def _ask(q: Any, places: Any, size: int, scale: Any, tile: Any) -> None:
    """Queries times a factor to a tile."""
    gather_tile(q, places, size, tile)
    for at in range(0, size * WIDE, LANES):
        store(tile, at, LANES, load(tile, at, LANES) * spread(scale))


@compiled
def _hide(
    table: Any, asking: int, stream: int, query: int, key: int, count: int, instead: Any, tile: Any
) -> None:
    """`hide` for all queries of a tile."""
    for lane in range(0, WIDE, LANES):
        hide(table, asking, stream, query + lane, key, count, instead, tile, lane)


@compiled
def _forward(
    sizes: Any, q: Any, k: Any, v: Any, scale: Any, out: Any, lse: Any, start: int, end: int
) -> None:
    """Items are (sequence, head, stream, block of queries).

    All arrays are (B, 2T, H, c) flat, `out` with a row more; `lse` is (B, H, 2T). It and `scale` are to the
    base 2.
    """
    length, heads, size = sizes
    blocks, stride, table = (length + _QUERIES - 1) // _QUERIES, heads * size, sight()
    turned, state = tile_size(size), mixture_size(size)
    asked, mixed = aligned(_QUERIES // WIDE * turned), aligned(_QUERIES // WIDE * state)
    scores, places = aligned(KEYS * WIDE), np.empty(WIDE, np.int64)
    key_rows, value_rows = aligned(KEYS * size), aligned(KEYS * size)
    for item in range(start, end):
        head, asking, begin = item // (2 * blocks), item // blocks % 2, item % blocks * _QUERIES
        base = (head // heads * 2 * length * heads + head % heads) * size
        stop = min(begin + _QUERIES, length)
        used = (stop - begin + WIDE - 1) // WIDE
        for tile in range(used):
            first = asking * length + begin + tile * WIDE
            _places(first, asking * length + stop, stride, base, base, places)
            _ask(q, places, size, scale, asked[tile * turned : (tile + 1) * turned])
            begin_mixture(mixed[tile * state : (tile + 1) * state], size)
        for stream in range(2):
            low, high = span(asking, stream, begin, stop, length)
            for first in range(low, high, KEYS):
                count, place = min(KEYS, high - first), base + (stream * length + first) * stride
                copy_rows(k, place, stride, count, size, key_rows)
                copy_rows(v, place, stride, count, size, value_rows)
                for tile in range(used):
                    query = begin + tile * WIDE
                    seen = span(asking, stream, query, min(query + WIDE, stop), length)
                    if seen[0] >= first + count or seen[1] <= first:
                        continue
                    own = mixed[tile * state : (tile + 1) * state]
                    multiply(asked[tile * turned : (tile + 1) * turned], key_rows, 0, size, count, scores, 0)
                    _hide(table, asking, stream, query, first, count, NEVER, scores)
                    weigh(scores, count, size, own, _ONE)
                    _hide(table, asking, stream, query, first, count, _ZERO, scores)
                    accumulate(scores, value_rows, 0, size, count, own)
        for tile in range(used):
            first, own = asking * length + begin + tile * WIDE, mixed[tile * state : (tile + 1) * state]
            end_mixture(own, size, _ONE)
            for row in range(min(WIDE, asking * length + stop - first)):
                lse[head * 2 * length + first + row] = own[size * WIDE + row]
            _places(first, asking * length + stop, stride, base, out.size - size, places)
            scatter_tile(own, 0, size, out, places, 0)


@compiled
def _backward(
    sizes: Any, q: Any, k: Any, v: Any, scale: Any, out: Any, lse: Any, dout: Any,
    dq: Any, dk: Any, dv: Any, start: int, end: int,
) -> None:  # fmt: skip
    """Items are (sequence, head), arrays as in `_forward`, the gradients with a row more."""
    length, heads, size = sizes
    stride, table, part = heads * size, sight(), size * WIDE
    tiles, nowhere = (length + WIDE - 1) // WIDE, dq.size - size
    keys, values = aligned(2 * length * size), aligned(2 * length * size)
    of_keys, of_values = aligned(2 * tiles * part), aligned(2 * tiles * part)
    asked, back, of_query = aligned(tile_size(size)), aligned(tile_size(size)), aligned(tile_size(size))
    rows, back_rows, offsets = aligned(WIDE * size), aligned(WIDE * size), aligned(2 * WIDE)
    weights, slopes, turned = aligned(WIDE * WIDE), aligned(WIDE * WIDE), aligned(WIDE * WIDE)
    places, own_rows = np.empty(WIDE, np.int64), np.arange(WIDE) * WIDE
    packed = np.arange(WIDE) * size
    for item in range(start, end):
        base = (item // heads * 2 * length * heads + item % heads) * size
        copy_rows(k, base, stride, 2 * length, size, keys)
        copy_rows(v, base, stride, 2 * length, size, values)
        of_keys[:] = _ZERO
        of_values[:] = _ZERO
        for asking in range(2):
            for query in range(0, length, WIDE):
                stop, first = min(query + WIDE, length), asking * length + query
                _places(first, asking * length + stop, stride, base, base, places)
                _ask(out, places, size, _ONE, of_query)
                _ask(dout, places, size, _ONE, back)
                _offsets(of_query, back, size, lse, item * 2 * length + first, stop - query, offsets)
                scatter_tile(back, 0, size, back_rows, packed, 0)
                _ask(q, places, size, scale, asked)
                scatter_tile(asked, 0, size, rows, packed, 0)
                of_query[:] = _ZERO
                for stream in range(2):
                    low, high = span(asking, stream, query, stop, length)
                    for key in range(low // WIDE * WIDE, high, WIDE):
                        count, place = min(WIDE, length - key), stream * length + key
                        to = (stream * tiles + key // WIDE) * part
                        multiply(asked, keys, place, size, count, weights, 0)
                        multiply(back, values, place, size, count, slopes, 0)
                        _hide(table, asking, stream, query, key, count, NEVER, weights)
                        _differentiate(weights, slopes, count, offsets)
                        _hide(table, asking, stream, query, key, count, _ZERO, weights)
                        _hide(table, asking, stream, query, key, count, _ZERO, slopes)
                        accumulate(slopes, keys, place, size, count, of_query)
                        # Turned, keys are the lanes, and what comes from queries is summed up.
                        gather_tile(slopes, own_rows, WIDE, turned)
                        accumulate(turned, rows, 0, size, WIDE, of_keys[to : to + part])
                        gather_tile(weights, own_rows, WIDE, turned)
                        accumulate(turned, back_rows, 0, size, WIDE, of_values[to : to + part])
                _places(first, asking * length + stop, stride, base, nowhere, places)
                _give(of_query, 0, size, scale * _LN2, dq, places)
        for stream in range(2):
            for tile in range(tiles):
                first, at = stream * length + tile * WIDE, (stream * tiles + tile) * part
                _places(first, (stream + 1) * length, stride, base, nowhere, places)
                _give(of_keys, at, size, _LN2, dk, places)
                _give(of_values, at, size, _ONE, dv, places)


@compiled
def _offsets(out: Any, back: Any, size: int, lse: Any, first: int, count: int, offsets: Any) -> None:
    """Of each query the log-sum-exp of its scores, and what comes back to it along its answer."""
    for row in range(WIDE):
        offsets[row] = lse[first + row] if row < count else _FAR_ABOVE
    for lane in range(0, WIDE, LANES):
        along = spread(_ZERO)
        for i in range(lane, size * WIDE, WIDE):
            along = along + load(out, i, LANES) * load(back, i, LANES)
        store(offsets, WIDE + lane, LANES, along)


@compiled
def _differentiate(weights: Any, slopes: Any, count: int, offsets: Any) -> None:
    """Scores to weights of the softmax, and gradients of weights to those of scores."""
    for lane in range(0, WIDE, LANES):
        offset, along = load(offsets, lane, LANES), load(offsets, WIDE + lane, LANES)
        for j in range(lane, count * WIDE, WIDE):
            weight = exp2(load(weights, j, LANES) - offset)
            store(weights, j, LANES, weight)
            store(slopes, j, LANES, weight * (load(slopes, j, LANES) - along))


@compiled
def _give(tile: Any, at: int, size: int, factor: Any, target: Any, places: Any) -> None:
    """A tile times a factor to rows."""
    for i in range(at, at + size * WIDE, LANES):
        store(tile, i, LANES, load(tile, i, LANES) * spread(factor))
    scatter_tile(tile, at, size, target, places, 0)


def janus_attention(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """As `reference.janus_attention`; with a gradient in float32, else by `fusion.janus_attention`."""
    exact = q.dtype == torch.float32
    if not is_native(q.dtype) or (torch.is_grad_enabled() and not exact):
        return fusion.janus_attention(q, k, v, scale)
    if not torch.is_grad_enabled():
        return _attend(q.float(), k.float(), v.float(), scale)[0].to(q.dtype)
    out: Tensor = _JanusAttention.apply(q, k, v, scale)  # type: ignore[no-untyped-call]
    return out


def _by_token(*heads: Tensor) -> list[Any]:
    """(B, H, 2T, c) as flat (B, 2T, H, c): as the projections gave it, without a copy."""
    return flat(*(part.transpose(1, 2) for part in heads))


def _attend(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The answer, and the log-sum-exp of the scores to the base 2, (B, H, 2T)."""
    batch, heads, rows, size = q.shape
    out, lse = torch.empty(q.numel() + size), torch.empty(batch, heads, rows)
    length = rows // 2
    work = partial(_forward, (length, heads, size), *_by_token(q, k, v), _F(scale) * LOG2E, *flat(out, lse))
    run_in_slices(work, batch * heads * 2 * -(-length // _QUERIES))
    return _without_last(out, q), lse


def _without_last(by_token: Tensor, like: Tensor) -> Tensor:
    """(B, H, 2T, c) of rows by token, without the one behind them that lanes without a row write to."""
    batch, heads, rows, size = like.shape
    return by_token[:-size].view(batch, rows, heads, size).transpose(1, 2)


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
        gradients = [torch.empty(q.numel() + size) for _ in range(3)]
        operands = (*_by_token(q, k, v), _F(ctx.scale) * LOG2E, *_by_token(out), *flat(lse))
        work = partial(
            _backward, (rows // 2, heads, size), *operands, *_by_token(grads[0]), *flat(*gradients)
        )
        run_in_slices(work, batch * heads)
        return (*(_without_last(gradient, q) for gradient in gradients), None)
