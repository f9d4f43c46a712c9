"""Sixteen float32 lanes as one value in a compiled kernel.

Whether LLVM turns a loop into SIMD code depends on aliasing, trip counts and the processor it takes the
host for. A value of this type is one AVX-512 register, or several smaller ones where there are no such,
whatever the code around it.

In kernels: `load`, `store`, `spread`, `+ - * /`, `fused`, `maximum`, `choose`, `absolute`, `root`, `exp2`,
`pair`, `sum_of`, `totals`.
Products may be fused into additions, and of two in a sum either, unless `fused` says which; nothing else is
reordered. Kernels must not be compiled with fastmath, which `exp2` would not survive.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import models, register_model

from janusdna.ops.cpu.compiling import intrinsic
from janusdna.ops.cpu.vectors import (
    FUSED,
    INT,
    LANES,
    VECTOR,
    bits,
    call,
    constant,
    first_lanes,
    masked_load,
    masked_store,
    multiply_add,
    place,
    repeat,
    shuffle,
    splat,
    to_pairs,
)

__all__ = [
    "LANES",
    "absolute",
    "choose",
    "exp2",
    "fused",
    "load",
    "maximum",
    "pair",
    "root",
    "spread",
    "store",
    "sum_of",
    "totals",
]

# 2^f on [-1/2, 1/2]: minimax in relative error with value 1 at 0, 2e-9 before rounding.
_EXP2 = (
    1.0,
    0.6931472028550946,
    0.24022647913569,
    0.05550332471,
    0.009618437366,
    0.001339887442,
    0.0001535335963,
)
# Added to a small number it leaves the nearest integer in the lowest bits.
_ROUND = 1.5 * 2**23
_SMALLEST_EXPONENT = -126.0


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__("float32x16")


_lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, front_end_type: Any) -> None:
        super().__init__(manager, front_end_type, VECTOR)


@intrinsic
def spread(typing: Any, value: Any) -> Any:
    """The same number in every lane."""
    return _lanes(types.float32), lambda context, builder, _, args: splat(builder, args[0])


@intrinsic
def load(typing: Any, flat: Any, index: Any, count: Any) -> Any:
    """`count` values of a flat array from `index` on, and zeros in the lanes that remain.

    An array of uint16 holds bfloat16.
    """

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        array, at, number = args
        pointer = place(context, builder, called.args[0], array, at)
        return masked_load(builder, pointer, first_lanes(builder, number), called.args[0].dtype)

    return _lanes(flat, types.intp, types.intp), generate


@intrinsic
def store(typing: Any, flat: Any, index: Any, count: Any, value: Any) -> Any:
    """The first `count` lanes to a flat array from `index` on; rounded to bfloat16 in one of uint16."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        array, at, number, lanes = args
        pointer = place(context, builder, called.args[0], array, at)
        masked_store(builder, pointer, first_lanes(builder, number), lanes, called.args[0].dtype)
        return context.get_dummy_value()

    return types.void(flat, types.intp, types.intp, _lanes), generate


@intrinsic
def maximum(typing: Any, a: Any, b: Any) -> Any:
    """The larger one, lane by lane; b where one is NaN."""
    return _lanes(_lanes, _lanes), lambda context, builder, _, args: _maximum(builder, *args)


@intrinsic
def choose(typing: Any, sign: Any, a: Any, b: Any) -> Any:
    """Where `sign` >= 0 a, else b, lane by lane."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">=", args[0], constant(0)), args[1], args[2])

    return _lanes(_lanes, _lanes, _lanes), generate


@intrinsic
def absolute(typing: Any, a: Any) -> Any:
    """|a|, lane by lane."""
    return _lanes(_lanes), lambda context, builder, _, args: call(
        builder, "llvm.fabs.v16f32", VECTOR, args[0]
    )


@intrinsic
def fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Of a, b and c: a * b + c, rounded alike whatever the code around it."""
    return _lanes(_lanes, _lanes, _lanes), lambda context, builder, _, args: multiply_add(builder, *args)


@intrinsic
def root(typing: Any, a: Any) -> Any:
    """The square root, lane by lane."""
    return _lanes(_lanes), lambda context, builder, _, args: call(
        builder, "llvm.sqrt.v16f32", VECTOR, args[0]
    )


@intrinsic
def pair(typing: Any, first: Any, second: Any) -> Any:
    """Two values a lane, rounded to bfloat16, as one word a lane, which is no number any more."""
    return _lanes(_lanes, _lanes), lambda context, builder, _, args: to_pairs(builder, *args)


@intrinsic
def sum_of(typing: Any, a: Any) -> Any:
    """The sum of all lanes, as a number."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        lanes = args[0]
        for distance in (8, 4, 2, 1):
            turned = [(lane + distance) % LANES for lane in range(LANES)]
            lanes = builder.fadd(lanes, shuffle(builder, lanes, lanes, turned))
        return builder.extract_element(lanes, ir.Constant(INT, 0))

    return types.float32(_lanes), generate


@intrinsic
def totals(typing: Any, flat: Any, index: Any) -> Any:
    """Of sixteen rows of sixteen values from flat[index] on, each row's sum in a lane of its own."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        array, at = args
        rows = []
        for row in range(LANES):
            here = builder.add(at, ir.Constant(at.type, row * LANES))
            rows.append(builder.load(place(context, builder, called.args[0], array, here, VECTOR), align=4))
        while len(rows) > 1:
            rows = [_halve(builder, *pair, len(rows)) for pair in zip(rows[::2], rows[1::2], strict=True)]
        return rows[0]

    return _lanes(flat, types.intp), generate


def _halve(builder: Any, a: Any, b: Any, rows: int) -> Any:
    """Fold each row's partial sums to half as many: those of a in even groups of lanes, of b in odd ones.

    With 16 rows left a row has 16 partial sums, with 2 it has 2; groups are 16 / rows lanes wide.
    """
    width = LANES // rows
    even = [lane for lane in range(LANES) if lane // width % 2 == 0]
    left = [lane if lane in even else LANES + lane - width for lane in range(LANES)]
    right = [lane + width for lane in left]
    return builder.fadd(*(shuffle(builder, a, b, side) for side in (left, right)))


@intrinsic
def exp2(typing: Any, z: Any) -> Any:
    """2^z for z <= 0, 2^-126 from there on down: a polynomial on the fraction, the rest to the exponent."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        z = _maximum(builder, constant(_SMALLEST_EXPONENT), args[0])
        rounded = builder.fadd(z, constant(_ROUND))
        fraction = builder.fsub(z, builder.fsub(rounded, constant(_ROUND)))
        value = constant(_EXP2[-1])
        for coefficient in _EXP2[-2::-1]:
            product = builder.fmul(value, fraction, flags=FUSED)
            value = builder.fadd(product, constant(coefficient), flags=FUSED)
        exponent = builder.shl(bits(builder, rounded), repeat(23))
        return builder.bitcast(builder.add(bits(builder, value), exponent), VECTOR)

    return _lanes(_lanes), generate


def _maximum(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _define(operation: Any, emit: Callable[..., Any]) -> None:
    """Let an operator of Python work on two values of this type."""

    @infer_global(operation)
    class _Template(ConcreteTemplate):
        cases = [signature(_lanes, _lanes, _lanes)]  # noqa: RUF012

    @lower_builtin(operation, _lanes, _lanes)
    def _lower(context: Any, builder: Any, called: Any, args: Any) -> Any:
        return emit(builder, *args, flags=FUSED)


_define(operator.add, ir.IRBuilder.fadd)
_define(operator.sub, ir.IRBuilder.fsub)
_define(operator.mul, ir.IRBuilder.fmul)
_define(operator.truediv, ir.IRBuilder.fdiv)
