"""Sixteen float32 lanes as one value in a compiled kernel.

Whether LLVM turns a loop into SIMD code depends on aliasing, trip counts and the processor it takes the
host for. A value of this type is one AVX-512 register, or several smaller ones where there are no such,
whatever the code around it.

In kernels: `load`, `store`, `spread`, `+ - * /`, `maximum`, `choose`, `absolute`, `exp2`, `sum_of`, `totals`.
Products may be fused into additions; nothing else is reordered. Kernels must not be compiled with fastmath,
which `exp2` would not survive.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

__all__ = ["LANES", "absolute", "choose", "exp2", "load", "maximum", "spread", "store", "sum_of", "totals"]

LANES = 16

_INT = ir.IntType(32)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(_INT, LANES)
_BITS = ir.VectorType(ir.IntType(1), LANES)
_SHORTS = ir.VectorType(ir.IntType(16), LANES)
_FUSED = ("contract", "nsz")

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
        super().__init__(manager, front_end_type, _FLOATS)


def _intrinsic(generator: Callable[..., Any]) -> Any:
    """Numba's decorator, untyped: what is called takes no typing context."""
    return intrinsic(generator)


def _constant(value: float) -> Any:
    return ir.Constant(_FLOATS, [float(np.float32(value))] * LANES)


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an LLVM intrinsic by its full name."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _spread(builder: Any, scalar: Any, vector: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), ir.Constant(_INTS, [0] * LANES))


def _first(builder: Any, count: Any) -> Any:
    """A mask of the first `count` lanes."""
    counts = _spread(builder, builder.trunc(count, _INT), _INTS)
    return builder.icmp_signed("<", ir.Constant(_INTS, list(range(LANES))), counts)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    kind = _SHORTS if array_type.dtype == types.uint16 else _FLOATS
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def _repeat(number: int) -> Any:
    return ir.Constant(_INTS, [number] * LANES)


def _from_bfloat16(builder: Any, shorts: Any) -> Any:
    return builder.bitcast(builder.shl(builder.zext(shorts, _INTS), _repeat(16)), _FLOATS)


def _to_bfloat16(builder: Any, floats: Any) -> Any:
    """Rounded to nearest, ties to even; NaN stays one."""
    bits = builder.bitcast(floats, _INTS)
    odd = builder.and_(builder.lshr(bits, _repeat(16)), _repeat(1))
    rounded = builder.add(bits, builder.add(odd, _repeat(0x7FFF)))
    bits = builder.select(builder.fcmp_unordered("uno", floats, floats), _repeat(0x7FC00000), rounded)
    return builder.trunc(builder.lshr(bits, _repeat(16)), _SHORTS)


@_intrinsic
def spread(typing: Any, value: Any) -> Any:
    """The same number in every lane."""
    return _lanes(types.float32), lambda context, builder, _, args: _spread(builder, args[0], _FLOATS)


@_intrinsic
def load(typing: Any, flat: Any, index: Any, count: Any) -> Any:
    """`count` values of a flat array from `index` on, and zeros in the lanes that remain.

    An array of uint16 holds bfloat16.
    """

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        array, at, number = args
        pointer = _pointer(context, builder, called.args[0], array, at)
        mask = _first(builder, number)
        if called.args[0].dtype == types.uint16:
            rest = (ir.Constant(_INT, 2), mask, ir.Constant(_SHORTS, [0] * LANES))
            shorts = _call(builder, "llvm.masked.load.v16i16.p0", _SHORTS, pointer, *rest)
            return _from_bfloat16(builder, shorts)
        rest = (ir.Constant(_INT, 4), mask, _constant(0))
        return _call(builder, "llvm.masked.load.v16f32.p0", _FLOATS, pointer, *rest)

    return _lanes(flat, types.intp, types.intp), generate


@_intrinsic
def store(typing: Any, flat: Any, index: Any, count: Any, value: Any) -> Any:
    """The first `count` lanes to a flat array from `index` on; rounded to bfloat16 in one of uint16."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        array, at, number, lanes = args
        pointer = _pointer(context, builder, called.args[0], array, at)
        name, size = "llvm.masked.store.v16f32.p0", 4
        if called.args[0].dtype == types.uint16:
            name, size, lanes = "llvm.masked.store.v16i16.p0", 2, _to_bfloat16(builder, lanes)
        rest = (ir.Constant(_INT, size), _first(builder, number))
        _call(builder, name, ir.VoidType(), lanes, pointer, *rest)
        return context.get_dummy_value()

    return types.void(flat, types.intp, types.intp, _lanes), generate


@_intrinsic
def maximum(typing: Any, a: Any, b: Any) -> Any:
    """The larger one, lane by lane; b where one is NaN."""
    return _lanes(_lanes, _lanes), lambda context, builder, _, args: _maximum(builder, *args)


@_intrinsic
def choose(typing: Any, sign: Any, a: Any, b: Any) -> Any:
    """Where `sign` >= 0 a, else b, lane by lane."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">=", args[0], _constant(0)), args[1], args[2])

    return _lanes(_lanes, _lanes, _lanes), generate


@_intrinsic
def absolute(typing: Any, a: Any) -> Any:
    """|a|, lane by lane."""
    return _lanes(_lanes), lambda context, builder, _, args: _call(
        builder, "llvm.fabs.v16f32", _FLOATS, args[0]
    )


@_intrinsic
def sum_of(typing: Any, a: Any) -> Any:
    """The sum of all lanes, as a number."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        lanes = args[0]
        for distance in (8, 4, 2, 1):
            turned = ir.Constant(_INTS, [(lane + distance) % LANES for lane in range(LANES)])
            lanes = builder.fadd(lanes, builder.shuffle_vector(lanes, lanes, turned))
        return builder.extract_element(lanes, ir.Constant(_INT, 0))

    return types.float32(_lanes), generate


@_intrinsic
def totals(typing: Any, flat: Any, index: Any) -> Any:
    """Of sixteen rows of sixteen values from flat[index] on, each row's sum in a lane of its own."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        array, at = args
        rows = []
        for row in range(LANES):
            place = builder.add(at, ir.Constant(at.type, row * LANES))
            rows.append(builder.load(_pointer(context, builder, called.args[0], array, place), align=4))
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
    shuffled = (builder.shuffle_vector(a, b, ir.Constant(_INTS, side)) for side in (left, right))
    return builder.fadd(*shuffled)


@_intrinsic
def exp2(typing: Any, z: Any) -> Any:
    """2^z for z <= 0, 2^-126 from there on down: a polynomial on the fraction, the rest to the exponent."""

    def generate(context: Any, builder: Any, called: Any, args: Any) -> Any:
        z = _maximum(builder, _constant(_SMALLEST_EXPONENT), args[0])
        rounded = builder.fadd(z, _constant(_ROUND))
        fraction = builder.fsub(z, builder.fsub(rounded, _constant(_ROUND)))
        value = _constant(_EXP2[-1])
        for coefficient in _EXP2[-2::-1]:
            product = builder.fmul(value, fraction, flags=_FUSED)
            value = builder.fadd(product, _constant(coefficient), flags=_FUSED)
        exponent = builder.shl(builder.bitcast(rounded, _INTS), _repeat(23))
        return builder.bitcast(builder.add(builder.bitcast(value, _INTS), exponent), _FLOATS)

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
        return emit(builder, *args, flags=_FUSED)


_define(operator.add, ir.IRBuilder.fadd)
_define(operator.sub, ir.IRBuilder.fsub)
_define(operator.mul, ir.IRBuilder.fmul)
_define(operator.truediv, ir.IRBuilder.fdiv)
