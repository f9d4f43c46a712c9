"""LLVM code for registers of sixteen float32: what `simd` and `tiles` make their operations of."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

__all__ = [
    "FUSED",
    "LANES",
    "VECTOR",
    "add_products_of_pairs",
    "bits",
    "call",
    "constant",
    "first_lanes",
    "from_bfloat16",
    "masked_load",
    "masked_store",
    "multiply_add",
    "place",
    "repeat",
    "shuffle",
    "splat",
    "to_bfloat16",
    "to_pairs",
]

LANES = 16
INT = ir.IntType(32)
VECTOR = ir.VectorType(ir.FloatType(), LANES)
INTS = ir.VectorType(INT, LANES)
SHORTS = ir.VectorType(ir.IntType(16), LANES)
# What may be done to products and sums of them.
FUSED = ("contract", "nsz")


class _BFloat(ir.Type):  # type: ignore[misc]
    """LLVM's bfloat, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


_PAIRS = ir.VectorType(_BFloat(), 2 * LANES)


def constant(value: float) -> Any:
    """The same number in every lane."""
    return ir.Constant(VECTOR, [float(np.float32(value))] * LANES)


def repeat(number: int) -> Any:
    """The same integer in every lane."""
    return ir.Constant(INTS, [number] * LANES)


def bits(builder: Any, vector: Any) -> Any:
    """Its lanes as integers."""
    return builder.bitcast(vector, INTS)


def call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an LLVM intrinsic by its full name."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return builder.call(function, arguments)


def splat(builder: Any, scalar: Any) -> Any:
    """A scalar of 32 bits in every lane."""
    vector = ir.VectorType(scalar.type, LANES)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(INT, 0))
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), repeat(0))


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Of a, b and c: a * b + c, in one instruction where there is one."""
    return call(builder, "llvm.fmuladd.v16f32", VECTOR, a, b, c)


def shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    """Lanes of a, numbered from 0, and of b, numbered from LANES on."""
    return builder.shuffle_vector(a, b, ir.Constant(INTS, order))


def first_lanes(builder: Any, count: Any) -> Any:
    """A mask of the first `count` lanes."""
    counts = splat(builder, builder.trunc(count, INT))
    return builder.icmp_signed("<", ir.Constant(INTS, list(range(LANES))), counts)


def place(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any = None) -> Any:
    """The address of array[index], as one of `kind` where that is given."""
    at = builder.gep(context.make_array(array_type)(context, builder, array).data, [index])
    return at if kind is None else builder.bitcast(at, kind.as_pointer())


def masked_load(builder: Any, pointer: Any, mask: Any, dtype: Any) -> Any:
    """Lanes from an array of bfloat16 as uint16, or of words of 32 bits; zeros elsewhere."""
    if dtype == types.uint16:
        rest = (ir.Constant(INT, 2), mask, ir.Constant(SHORTS, [0] * LANES))
        return from_bfloat16(builder, call(builder, "llvm.masked.load.v16i16.p0", SHORTS, pointer, *rest))
    rest = (ir.Constant(INT, 4), mask, constant(0))
    return call(builder, "llvm.masked.load.v16f32.p0", VECTOR, pointer, *rest)


def masked_store(builder: Any, pointer: Any, mask: Any, lanes: Any, dtype: Any) -> None:
    """The inverse of `masked_load`; rounded where the array is of bfloat16."""
    name, size = "llvm.masked.store.v16f32.p0", 4
    if dtype == types.uint16:
        name, size, lanes = "llvm.masked.store.v16i16.p0", 2, to_bfloat16(builder, lanes)
    call(builder, name, ir.VoidType(), lanes, pointer, ir.Constant(INT, size), mask)


def from_bfloat16(builder: Any, shorts: Any) -> Any:
    """float32 of the same value."""
    return builder.bitcast(builder.shl(builder.zext(shorts, INTS), repeat(16)), VECTOR)


def to_bfloat16(builder: Any, floats: Any) -> Any:
    """Rounded to nearest, ties to even; NaN stays one."""
    return builder.trunc(builder.lshr(_rounded(builder, floats), repeat(16)), SHORTS)


def to_pairs(builder: Any, first: Any, second: Any) -> Any:
    """Two float32 a lane, rounded to bfloat16, as one word a lane."""
    low = builder.lshr(_rounded(builder, first), repeat(16))
    high = builder.and_(_rounded(builder, second), repeat(0xFFFF0000 - (1 << 32)))
    return builder.bitcast(builder.or_(low, high), VECTOR)


def add_products_of_pairs(builder: Any, so_far: Any, one: Any, other: Any) -> Any:
    """so_far + the products of pairs of bfloat16, in float32; of processors that have this instruction."""
    pairs = (builder.bitcast(words, _PAIRS) for words in (one, other))
    return call(builder, "llvm.x86.avx512bf16.dpbf16ps.512", VECTOR, so_far, *pairs)


def _rounded(builder: Any, floats: Any) -> Any:
    """The bits of float32 of which the upper half is the nearest bfloat16."""
    whole = bits(builder, floats)
    odd = builder.and_(builder.lshr(whole, repeat(16)), repeat(1))
    rounded = builder.add(whole, builder.add(odd, repeat(0x7FFF)))
    return builder.select(builder.fcmp_unordered("uno", floats, floats), repeat(0x7FC00000), rounded)
