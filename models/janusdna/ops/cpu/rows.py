"""Passes over rows on a CPU: a layer's products with the norms, gates and sums around them, tile by tile.

Without a gradient. In float32, and in bfloat16 where the processor multiplies pairs of it: weights as they
are, rows rounded where they are made. The residual stream and all that is summed up is float32.

Legend: d width of the residual stream.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops.cpu.arrays import flat, words
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.math import aligned, silu
from janusdna.ops.cpu.simd import LANES, load, spread, store
from janusdna.ops.cpu.threads import run_in_slices
from janusdna.ops.cpu.tiles import (
    WIDE,
    gather_tile,
    multiply,
    normalise,
    pack,
    per_word,
    places_of,
    scatter_tile,
    tile_size,
    tiles_of,
)

__all__ = [
    "add_product",
    "add_rows",
    "add_swiglu",
    "gate",
    "project",
    "project_rows",
    "scan_operands",
    "scan_rows",
]

# Tiles worth a thread of their own.
_LEAST = 4
# Outputs that are turned back into rows together.
_BLOCK = LANES
_GATED = 8


@compiled
def _store_products(
    tile: Any, matrix: Any, size: int, outputs: int, room: Any, out: Any, places: Any
) -> None:
    """The products of a tile with all rows of a matrix, to rows of `out`."""
    for first in range(0, outputs, _BLOCK):
        count = min(_BLOCK, outputs - first)
        multiply(tile, matrix, first, size, count, room, 0)
        scatter_tile(room, 0, count, out, places, first)


@compiled
def project_rows(
    sizes: Any, h: Any, norm: Any, eps: Any, one: Any, other: Any, a: Any, b: Any, start: int, end: int
) -> None:
    """Items are tiles of rows."""
    rows, width, wide_a, wide_b = sizes
    tile, room, size = aligned(tile_size(width)), aligned(_BLOCK * WIDE), width // per_word(one)
    places, places_a, places_b = np.empty(WIDE, np.int64), np.empty(WIDE, np.int64), np.empty(WIDE, np.int64)
    for item in range(start, end):
        places_of(item, rows, width, places)
        gather_tile(h, places, width, tile)
        normalise(tile, 0, width, norm, eps, tile)
        pack(one, tile, width)
        places_of(item, rows, wide_a, places_a)
        places_of(item, rows, wide_b, places_b)
        _store_products(tile, one, size, wide_a, room, a, places_a)
        _store_products(tile, other, size, wide_b, room, b, places_b)


def project(h: Tensor, norm: Tensor, eps: float, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """As `reference.project`."""
    rows = h.reshape(-1, h.shape[-1])
    a, b = (h.new_empty(*h.shape[:-1], len(matrix), dtype=matrix.dtype) for matrix in (one, other))
    sizes = (*rows.shape, len(one), len(other))
    vectors = (*flat(rows, norm.float()), np.float32(eps))
    _run(partial(project_rows, sizes, *vectors, *words(one, other), *flat(a, b)), rows)
    return a, b


@compiled
def scan_rows(
    sizes: Any, u: Any, into: Any, norms: Any, eps: Any, step: Any, bias: Any, dt: Any, B: Any, C: Any,
    start: int, end: int,
) -> None:  # fmt: skip
    """Items are tiles of rows; `norms` are the weights of those of dt, B and C, one behind the other."""
    rows, inner, rank, states = sizes
    size, outputs = inner // per_word(into), rank + 2 * states
    tile, found, room = aligned(tile_size(size)), aligned(tile_size(outputs)), aligned(_BLOCK * WIDE)
    places, narrow, wide = np.empty(WIDE, np.int64), np.empty(WIDE, np.int64), np.empty(WIDE, np.int64)
    for item in range(start, end):
        places_of(item, rows, size, places)
        gather_tile(u, places, size, tile)
        multiply(tile, into, 0, size, outputs, found, 0)
        normalise(found, 0, rank, norms[:rank], eps, found)
        normalise(found, rank * WIDE, states, norms[rank : rank + states], eps, found)
        normalise(found, (rank + states) * WIDE, states, norms[rank + states :], eps, found)
        places_of(item, rows, states, narrow)
        scatter_tile(found, rank * WIDE, states, B, narrow, 0)
        scatter_tile(found, (rank + states) * WIDE, states, C, narrow, 0)
        places_of(item, rows, inner, wide)
        for first in range(0, inner, _BLOCK):
            width = min(_BLOCK, inner - first)
            multiply(found, step, first, rank, width, room, 0)
            for k in range(width):
                for lane in range(k * WIDE, (k + 1) * WIDE, LANES):
                    store(room, lane, LANES, load(room, lane, LANES) + spread(bias[first + k]))
            scatter_tile(room, 0, width, dt, wide, first)


def scan_operands(
    u: Tensor, into: Tensor, norms: tuple[Tensor, Tensor, Tensor], eps: float, step: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """As `reference.scan_operands`; B and C in float32."""
    rows, states = u.reshape(-1, u.shape[-1]), len(norms[1])
    dt = torch.empty_like(u)
    B, C = (u.new_empty(*u.shape[:-1], states, dtype=torch.float32) for _ in range(2))
    sizes = (*rows.shape, len(norms[0]), states)
    weights = (*flat(torch.cat(norms).float()), np.float32(eps), *flat(step.float(), bias.float()))
    _run(partial(scan_rows, sizes, *words(rows, into), *weights, *flat(dt, B, C)), rows)
    return dt, B, C


@compiled
def add_rows(sizes: Any, h: Any, y: Any, matrix: Any, out: Any, start: int, end: int) -> None:
    """Items are tiles of rows."""
    rows, width, inner = sizes
    size = inner // per_word(matrix)
    tile, own, found = aligned(tile_size(size)), aligned(tile_size(width)), aligned(tile_size(width))
    places, wide = np.empty(WIDE, np.int64), np.empty(WIDE, np.int64)
    for item in range(start, end):
        places_of(item, rows, size, wide)
        gather_tile(y, wide, size, tile)
        multiply(tile, matrix, 0, size, width, found, 0)
        places_of(item, rows, width, places)
        gather_tile(h, places, width, own)
        _add(own, width, found)
        scatter_tile(found, 0, width, out, places, 0)


def add_product(h: Tensor, y: Tensor, matrix: Tensor) -> Tensor:
    """As `reference.add_product`."""
    out, rows = torch.empty_like(h), y.reshape(-1, y.shape[-1])
    sizes = len(rows), h.shape[-1], y.shape[-1]
    _run(partial(add_rows, sizes, *flat(h), *words(rows, matrix), *flat(out)), rows)
    return out


@compiled
def _add(tile: Any, width: int, to: Any) -> None:
    for at in range(0, width * WIDE, LANES):
        store(to, at, LANES, load(to, at, LANES) + load(tile, at, LANES))


@compiled
def gate(tile: Any, matrix: Any, first: int, width: int, inner: int, room: Any, gated: Any) -> None:
    """silu(gate) * up of a tile: what the second product of a SwiGLU takes.

    Args:
        tile: Packed, of `width` values a row.
        matrix: Rows of gate and then of up, from matrix row `first` on, `inner` of each.
        room: For sixteen rows.
        gated: Packed, receives `inner` values a row.
    """
    size = width // per_word(matrix)
    for start in range(0, inner, _GATED):
        count = min(_GATED, inner - start)
        multiply(tile, matrix, first + start, size, count, room, 0)
        multiply(tile, matrix, first + inner + start, size, count, room, count * WIDE)
        for at in range(0, count * WIDE, LANES):
            opened = silu(load(room, at, LANES)) * load(room, count * WIDE + at, LANES)
            store(gated, start * WIDE + at, LANES, opened)
    pack(matrix, gated, inner)


@compiled
def _add_swiglu(
    sizes: Any, h: Any, norm: Any, eps: Any, into: Any, out_of: Any, out: Any, start: int, end: int
) -> None:
    rows, width, inner = sizes
    own, tile, gated = aligned(tile_size(width)), aligned(tile_size(width)), aligned(inner * WIDE)
    room, places = aligned(2 * _GATED * WIDE), np.empty(WIDE, np.int64)
    for item in range(start, end):
        places_of(item, rows, width, places)
        gather_tile(h, places, width, own)
        normalise(own, 0, width, norm, eps, tile)
        pack(into, tile, width)
        gate(tile, into, 0, width, inner, room, gated)
        multiply(gated, out_of, 0, inner // per_word(out_of), width, tile, 0)
        _add(own, width, tile)
        scatter_tile(tile, 0, width, out, places, 0)


def add_swiglu(h: Tensor, norm: Tensor, eps: float, gate_up: Tensor, down: Tensor) -> Tensor:
    """As `reference.add_swiglu`."""
    rows, out = h.reshape(-1, h.shape[-1]), torch.empty_like(h)
    sizes = (*rows.shape, down.shape[1])
    vectors = (*flat(rows, norm.float()), np.float32(eps))
    _run(partial(_add_swiglu, sizes, *vectors, *words(gate_up, down), *flat(out)), rows)
    return out


def _run(work: Any, rows: Tensor) -> None:
    run_in_slices(work, tiles_of(len(rows)), least=_LEAST)
