"""Matrix products of rows in compiled kernels: a tile holds some rows, each in a lane of its own.

Value k of all rows of a tile lies in one place, tile[k * WIDE + row]. So a weight is one number for all of
them, what one product leaves the next one takes up, sums over a row's values are sums of registers, and
weights are read as they lie in memory. Rows are turned into lanes when they are loaded and back when they are
stored.

Where a matrix is given as uint32, its words are pairs of bfloat16; the tile's are then, too, and their
products are summed up in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from janusdna.ops.cpu.compiling import compiled, intrinsic
from janusdna.ops.cpu.processor import has_wide_registers
from janusdna.ops.cpu.simd import fused, load, pair, root, spread, store
from janusdna.ops.cpu.vectors import (
    LANES,
    VECTOR,
    add_products_of_pairs,
    constant,
    first_lanes,
    masked_load,
    masked_store,
    multiply_add,
    place,
    shuffle,
    splat,
)

__all__ = [
    "WIDE",
    "accumulate",
    "gather_tile",
    "multiply",
    "normalise",
    "pack",
    "per_word",
    "places_of",
    "scatter_tile",
    "tile_size",
    "tiles_of",
]

# Outputs computed together and registers of rows: as many sums as a processor has registers for.
_WIDE_REGISTERS = has_wide_registers()
_TOGETHER, _REGISTERS = (8, 2) if _WIDE_REGISTERS else (4, 1)
WIDE = _REGISTERS * LANES
_ONE = np.float32(1)


def tiles_of(rows: int) -> int:
    """How many tiles so many rows fill."""
    return -(-rows // WIDE)


@compiled
def tile_size(width: int) -> int:
    """Values of a tile of so wide rows, filled up to whole registers."""
    return -(-width // LANES) * LANES * WIDE


@compiled
def places_of(item: int, rows: int, width: int, places: Any) -> None:
    """Where the rows of tile `item` begin, a row of `width` after the other.

    What is missing to a whole tile is its last row again: it is read, computed and written as often, alike.
    """
    for row in range(WIDE):
        places[row] = min(item * WIDE + row, rows - 1) * width


@compiled
def gather_tile(source: Any, places: Any, width: int, tile: Any) -> None:
    """Rows source[places[row] :][:width] to a tile; words of whatever kind."""
    whole = width // LANES * LANES
    for lane in range(0, WIDE, LANES):
        for first in range(0, whole, LANES):
            _turn_in(source, places, lane, first, LANES, tile, first * WIDE + lane)
        if whole < width:
            _turn_in(source, places, lane, whole, width - whole, tile, whole * WIDE + lane)


@compiled
def scatter_tile(tile: Any, at: int, width: int, target: Any, places: Any, column: int) -> None:
    """`width` values of each row, from tile[at] on, to target[places[row] + column :]."""
    whole = width // LANES * LANES
    for lane in range(0, WIDE, LANES):
        for first in range(0, whole, LANES):
            _turn_out(tile, at + first * WIDE + lane, target, places, lane, column + first, LANES)
        if whole < width:
            _turn_out(tile, at + whole * WIDE + lane, target, places, lane, column + whole, width - whole)


@compiled
def normalise(tile: Any, at: int, width: int, weight: Any, eps: Any, out: Any) -> None:
    """RMSNorm of `width` values from tile[at] on, to the same place of `out`."""
    for lane in range(at, at + WIDE, LANES):
        squares = spread(np.float32(0))
        for k in range(width):
            value = load(tile, lane + k * WIDE, LANES)
            squares = fused(value, value, squares)
        mean = fused(squares, spread(_ONE / np.float32(width)), spread(eps))
        scale = spread(_ONE) / root(mean)
        for k in range(width):
            here = lane + k * WIDE
            store(out, here, LANES, load(tile, here, LANES) * scale * spread(weight[k]))


@compiled
def pack(matrix: Any, tile: Any, width: int) -> None:
    """Make of a tile's values what `matrix` is multiplied with: pairs of bfloat16, or nothing else."""
    if per_word(matrix) == 2:
        for k in range(0, width, 2):
            for lane in range(0, WIDE, LANES):
                here = k * WIDE + lane
                both = pair(load(tile, here, LANES), load(tile, here + WIDE, LANES))
                store(tile, k // 2 * WIDE + lane, LANES, both)


@compiled
def multiply(tile: Any, matrix: Any, first: int, size: int, count: int, out: Any, to: int) -> None:
    """`count` values for each row of a tile, to out[to]: its products with matrix rows from `first` on.

    Args:
        tile: Of `size` words a row.
        matrix: Rows of `size` words one behind the other.
    """
    if count < _TOGETHER:
        for j in range(count):
            _multiply_one(tile, matrix, (first + j) * size, size, 1, size, out, to + j * WIDE)
    else:
        for start in range(0, count, _TOGETHER):
            j = min(start, count - _TOGETHER)
            _multiply_several(tile, matrix, (first + j) * size, size, 1, size, out, to + j * WIDE)


@compiled
def accumulate(weights: Any, matrix: Any, first: int, size: int, count: int, out: Any) -> None:
    """Add to a tile of `size` values a row: the sum of `count` matrix rows from `first` on, times weights.

    Args:
        weights: A tile of `count` values a row.
        matrix: Rows of `size` float32 one behind the other.
    """
    start = 0
    while start < size:
        left, at, to = size - start, first * size + start, start * WIDE
        if _WIDE_REGISTERS and left % 9 == 0:
            _add_nine(weights, matrix, at, 1, size, count, out, to)
            start += 9
        elif _WIDE_REGISTERS and left >= 8:
            _add_eight(weights, matrix, at, 1, size, count, out, to)
            start += 8
        elif left >= 4:
            _add_four(weights, matrix, at, 1, size, count, out, to)
            start += 4
        else:
            _add_one(weights, matrix, at, 1, size, count, out, to)
            start += 1


@intrinsic
def per_word(typing: Any, matrix: Any) -> Any:
    """Values in a word of `matrix`."""
    values = 2 if matrix.dtype == types.uint32 else 1
    return types.intp(matrix), lambda context, *_: context.get_constant(types.intp, values)


def _plus(builder: Any, index: Any, number: int) -> Any:
    return builder.add(index, ir.Constant(index.type, number))


def _room(builder: Any) -> Any:
    """For a vector, which LLVM keeps in a register."""
    return cgutils.alloca_once(builder, VECTOR)  # type: ignore[no-untyped-call]


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Sixteen registers of a row each to sixteen of a column each: halves of pairs change places."""
    for width in (1, 2, 4, 8):
        for i in range(LANES):
            if i & width:
                continue
            both = rows[i], rows[i + width]
            low = [lane if not lane & width else LANES + lane - width for lane in range(LANES)]
            high = [lane + width if not lane & width else LANES + lane for lane in range(LANES)]
            rows[i], rows[i + width] = (shuffle(builder, *both, order) for order in (low, high))
    return rows


@intrinsic
def _turn_in(
    typing: Any, source: Any, places: Any, lane: Any, first: Any, count: Any, tile: Any, to: Any
) -> Any:
    """`count` words of sixteen rows, from source[places[lane + row] + first] on, to lanes of tile[to]."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        source, places, lane, first, count, tile, to = args
        mask = first_lanes(builder, count)
        rows = []
        for row in range(LANES):
            begin = builder.load(place(context, builder, called.args[1], places, _plus(builder, lane, row)))
            at = place(context, builder, called.args[0], source, builder.add(begin, first))
            rows.append(masked_load(builder, at, mask, types.float32))
        for k, column in enumerate(_turned(builder, rows)):
            at = place(context, builder, called.args[5], tile, _plus(builder, to, k * WIDE), VECTOR)
            builder.store(column, at, align=4)
        return context.get_dummy_value()

    index = types.intp
    return types.void(source, places, index, index, index, tile, index), generate


@intrinsic
def _turn_out(
    typing: Any, tile: Any, at: Any, target: Any, places: Any, lane: Any, first: Any, count: Any
) -> Any:
    """The inverse of `_turn_in`; rounded to bfloat16 in a target of uint16."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        tile, at, target, places, lane, first, count = args
        columns = []
        for k in range(LANES):
            # What is behind the last column may be behind the buffer.
            exists = builder.icmp_signed("<", ir.Constant(count.type, k), count)
            away = builder.select(exists, ir.Constant(at.type, k * WIDE), ir.Constant(at.type, 0))
            here = place(context, builder, called.args[0], tile, builder.add(at, away), VECTOR)
            columns.append(builder.load(here, align=4))
        mask = first_lanes(builder, count)
        for row, values in enumerate(_turned(builder, columns)):
            begin = builder.load(place(context, builder, called.args[3], places, _plus(builder, lane, row)))
            to = place(context, builder, called.args[2], target, builder.add(begin, first))
            masked_store(builder, to, mask, values, called.args[2].dtype)
        return context.get_dummy_value()

    index = types.intp
    return types.void(tile, index, target, places, index, index, index), generate


def _multiplication(together: int, *, adds: bool) -> Any:
    """Products of a tile with so many rows of a matrix at once, whose sums stay in registers.

    Value k of row j is matrix[first + j * across + k * along]. With `adds` they are added to those of `out`.
    """

    @intrinsic
    def multiply_rows(
        typing: Any, tile: Any, matrix: Any, first: Any, across: Any, along: Any, size: Any, out: Any, to: Any
    ) -> Any:
        in_pairs = matrix.dtype == types.uint32

        def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
            tile, matrix, first, across, along, size, out, to = args
            sums: list[list[Any]] = []
            places: list[list[Any]] = []
            begins = []
            for j in range(together):
                begin = builder.add(first, builder.mul(across, ir.Constant(across.type, j)))
                begins.append(place(context, builder, called.args[1], matrix, begin))
                lanes = [_plus(builder, to, j * WIDE + part * LANES) for part in range(_REGISTERS)]
                places.append([place(context, builder, called.args[6], out, lane, VECTOR) for lane in lanes])
                sums.append([_room(builder) for _ in lanes])
                for one, here in zip(sums[j], places[j], strict=True):
                    builder.store(builder.load(here, align=4) if adds else constant(0), one)
            with cgutils.for_range(builder, size) as loop:
                at = builder.mul(loop.index, ir.Constant(size.type, WIDE))
                rows = []
                for part in range(_REGISTERS):
                    lane = _plus(builder, at, part * LANES)
                    here = place(context, builder, called.args[0], tile, lane, VECTOR)
                    rows.append(builder.load(here, align=4))
                step = builder.mul(loop.index, along)
                for j in range(together):
                    word = builder.load(builder.gep(begins[j], [step]))
                    weight = builder.bitcast(splat(builder, word), VECTOR)
                    for row, one in zip(rows, sums[j], strict=True):
                        builder.store(_sum(builder, builder.load(one), row, weight, in_pairs), one)
            for row_sums, row_places in zip(sums, places, strict=True):
                for one, here in zip(row_sums, row_places, strict=True):
                    builder.store(builder.load(one), here, align=4)
            return context.get_dummy_value()

        index = types.intp
        return types.void(tile, matrix, index, index, index, index, out, index), generate

    return multiply_rows


def _sum(builder: Any, so_far: Any, row: Any, weight: Any, in_pairs: bool) -> Any:
    if in_pairs:
        return add_products_of_pairs(builder, so_far, row, weight)
    return multiply_add(builder, row, weight, so_far)


_multiply_one, _multiply_several = (_multiplication(count, adds=False) for count in (1, _TOGETHER))
_add_one, _add_four, _add_eight, _add_nine = (_multiplication(count, adds=True) for count in (1, 4, 8, 9))
