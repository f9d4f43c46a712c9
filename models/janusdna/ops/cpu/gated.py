"""A SwiGLU with its gradients on a CPU, in tiles of rows: nothing is kept but its input.

On the way back a tile's gate is computed again, in the nearest caches, which takes less than to fetch it from
memory. Gradients of weights are summed up by slices of rows, each in tiles of its own.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.cpu.arrays import flat
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.math import aligned, sigmoid
from janusdna.ops.cpu.rows import gate
from janusdna.ops.cpu.simd import LANES, fused, load, spread, store
from janusdna.ops.cpu.swiglu import gate_slope
from janusdna.ops.cpu.threads import run_all, run_in_slices, slices
from janusdna.ops.cpu.tiles import (
    WIDE,
    accumulate,
    gather_tile,
    multiply,
    places_of,
    scatter_tile,
    tile_size,
    tiles_of,
)

__all__ = ["from_tiles", "gated", "go_back", "room_of_a_tile", "weight_tiles"]

_LEAST_TILES = 4
_ZERO = np.float32(0)


@compiled
def _forward(sizes: Any, x: Any, into: Any, out_of: Any, out: Any, start: int, end: int) -> None:
    rows, width, inner = sizes
    tile, activations, room = aligned(tile_size(width)), aligned(inner * WIDE), aligned(LANES * WIDE)
    places = np.empty(WIDE, np.int64)
    for item in range(start, end):
        places_of(item, rows, width, places)
        gather_tile(x, places, width, tile)
        gate(tile, into, 0, width, inner, room, activations)
        multiply(activations, out_of, 0, inner, width, tile, 0)
        scatter_tile(tile, 0, width, out, places, 0)


@compiled
def _backward(
    sizes: Any,
    x: Any,
    into: Any,
    out_of: Any,
    dout: Any,
    dx: Any,
    dinto: Any,
    dout_of: Any,
    start: int,
    end: int,
) -> None:
    """Items are tiles of rows; `dinto` and `dout_of` are of these items alone, in tiles of inner values."""
    rows, width, inner = sizes
    tile, back, room = aligned(tile_size(width)), aligned(tile_size(width)), aligned(room_of_a_tile(inner))
    places, weights = np.empty(WIDE, np.int64), np.ones(2 * WIDE, np.float32)
    for item in range(start, end):
        places_of(item, rows, width, places)
        first, count = item * WIDE, min(WIDE, rows - item * WIDE)
        gather_tile(x, places, width, tile)
        gather_tile(dout, places, width, back)
        own, own_back, own_sizes = x[first * width :], dout[first * width :], (width, inner, count)
        go_back(own_sizes, tile, back, own, own_back, into, out_of, weights, room, dinto, dout_of)
        scatter_tile(back, 0, width, dx, places, 0)


@compiled
def room_of_a_tile(inner: int) -> int:
    """Values that `go_back` works with."""
    return (-(-2 * inner // WIDE) + -(-inner // WIDE) + 1) * WIDE * WIDE


@compiled
def go_back(
    sizes: Any, tile: Any, back: Any, rows: Any, back_rows: Any, into: Any, out_of: Any, weights: Any,
    room: Any, dinto: Any, dout_of: Any,
) -> None:  # fmt: skip
    """The way back of a tile of rows.

    Args:
        sizes: d, m, and how many rows there are.
        tile: The rows.
        back: What came back to their answers; receives what goes back to them.
        rows, back_rows: The same two, row by row.
        into, out_of: The matrices, (2m, d) and (d, m).
        weights: What each answer was multiplied with, and behind them room for the weights' gradients.
        room: As `room_of_a_tile` says.
        dinto, dout_of: Tiles that gradients of weights are added to.
    """
    width, inner, count = sizes
    own = np.empty(WIDE, np.int64)
    middle = -(-2 * inner // WIDE) * WIDE * WIDE
    rises, activations, turned = room[:middle], room[middle : -WIDE * WIDE], room[-WIDE * WIDE :]
    multiply(tile, into, 0, width, 2 * inner, rises, 0)
    activations[:] = _ZERO
    accumulate(back, out_of, 0, inner, width, activations)
    _differentiate(rises, activations, inner, weights)
    back[:] = _ZERO
    accumulate(rises, into, 0, width, 2 * inner, back)
    _add_outer(rises, 2 * inner, rows, count, width, turned, own, dinto)
    _add_outer(activations, inner, back_rows, count, width, turned, own, dout_of)


@compiled
def _differentiate(rises: Any, activations: Any, inner: int, weights: Any) -> None:
    """Gate and up to their gradients, and what came back to activations to these, times the weights."""
    for lane in range(0, WIDE, LANES):
        weight, along = load(weights, lane, LANES), spread(_ZERO)
        for at in range(lane, inner * WIDE, WIDE):
            opens, up = load(rises, at, LANES), load(rises, inner * WIDE + at, LANES)
            gradient, opening = load(activations, at, LANES), sigmoid(opens)
            opened = opens * opening
            along = fused(opened * up, gradient, along)
            gradient = gradient * weight
            store(activations, at, LANES, opened * up * weight)
            store(rises, at, LANES, gradient * up * gate_slope(opens, opening))
            store(rises, inner * WIDE + at, LANES, gradient * opened)
        store(weights, WIDE + lane, LANES, along)


@compiled
def _add_outer(
    tile: Any, values: int, rows: Any, count: int, width: int, turned: Any, own: Any, out: Any
) -> None:
    """Add the products of a tile's values with those of rows, summed up over rows, to tiles of `out`."""
    size = width * WIDE
    for block in range((values + WIDE - 1) // WIDE):
        for value in range(WIDE):
            own[value] = (block * WIDE + value) * WIDE
        gather_tile(tile, own, WIDE, turned)
        accumulate(turned, rows, 0, width, count, out[block * size : (block + 1) * size])


def weight_tiles(copies: int, width: int, inner: int) -> tuple[Tensor, Tensor]:
    """Zeros for so many gradients of both matrices, in tiles of inner values."""
    sizes = -(-2 * inner // WIDE), -(-inner // WIDE)
    dinto, dout_of = (torch.zeros(copies, blocks, width, WIDE) for blocks in sizes)
    return dinto, dout_of


def from_tiles(dinto: Tensor, dout_of: Tensor, inner: int) -> tuple[Tensor, Tensor]:
    """Gradients of matrices, (copies, 2m, d) and (copies, d, m), from those of `weight_tiles`."""
    rows = (part.transpose(2, 3).flatten(1, 2) for part in (dinto, dout_of))
    into, out_of = next(rows)[:, : 2 * inner], next(rows)[:, :inner]
    return into, out_of.transpose(1, 2)


def gated(x: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    """As `reference.gated`; by that where it is not all float32."""
    if any(part.dtype != torch.float32 for part in (x, gate_up, down)) or not x.numel():
        return reference.gated(x, gate_up, down)
    out: Tensor = _Gated.apply(x, gate_up, down)  # type: ignore[no-untyped-call]
    return out


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, gate_up, down)
        out = torch.empty_like(x)
        rows, width = x.numel() // x.shape[-1], x.shape[-1]
        work = partial(_forward, (rows, width, down.shape[1]), *flat(x, gate_up, down, out))
        run_in_slices(work, tiles_of(rows), least=_LEAST_TILES)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, gate_up, down = ctx.saved_tensors
        width, inner = down.shape
        rows = x.numel() // width
        parts = slices(tiles_of(rows), least=_LEAST_TILES)
        dx, (dinto, dout_of) = torch.empty_like(x), weight_tiles(len(parts), width, inner)
        arrays = (rows, width, inner), *flat(x, gate_up, down, grads[0], dx)
        run_all(
            [partial(_backward, *arrays, *flat(dinto[i], dout_of[i]), *part) for i, part in enumerate(parts)]
        )
        summed = from_tiles(dinto.sum(0, keepdim=True), dout_of.sum(0, keepdim=True), inner)
        return dx, *(part[0].contiguous() for part in summed)
