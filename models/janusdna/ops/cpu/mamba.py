"""A Mamba mixer with its norm and residual on a CPU, in blocks of rows that stay in the nearest caches.

Without a gradient. Where there are more threads than sequences, each operation is shared out among them
instead, by rows or by channels, to the same bits.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops.cpu import rows as passes
from janusdna.ops.cpu.arrays import flat, words
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.conv import conv_silu, convolve_rows
from janusdna.ops.cpu.math import LOG2E, aligned
from janusdna.ops.cpu.scan import STATES, begin_states, end_states, selective_scan, walk
from janusdna.ops.cpu.simd import LANES, load, store
from janusdna.ops.cpu.threads import run_in_slices
from janusdna.ops.cpu.tiles import WIDE
from janusdna.ops.reference import MambaWeights, moved_tail

__all__ = ["add_mamba"]

# Values of the four arrays of inner width that a block goes through: they stay in a second-level cache.
_VALUES = 3 << 15


@compiled
def _mix(
    sizes: Any, h: Any, norm: Any, eps: Any, into: Any, gate_into: Any, taps: Any, bias: Any, operands: Any,
    norms: Any, own_eps: Any, step: Any, step_bias: Any, decay: Any, skip: Any, out_of: Any, tail: Any,
    state: Any, like: Any, out: Any, reverse: bool, start: int, end: int,
) -> None:  # fmt: skip
    """Items are sequences, whose `tail` and `state` are moved on.

    `like` tells what rows between two products are kept as: float32, or bfloat16 as uint16.
    """
    length, width, inner, rank, kernel, block = sizes
    x, gate = np.empty(block * inner, like.dtype), np.empty(block * inner, like.dtype)
    u, dt = np.empty(block * inner, like.dtype), np.empty(block * inner, like.dtype)
    B, C = np.empty(block * STATES, np.float32), np.empty(block * STATES, np.float32)
    lanes = (inner + LANES - 1) // LANES * LANES
    states, decays = aligned(lanes * STATES), aligned(lanes * STATES)
    begin_states(decay, 0, inner, decays)
    blocks, edge = (length + block - 1) // block, (kernel - 1) * inner
    for sequence in range(start, end):
        begin_states(state, sequence * inner * STATES, inner, states)
        before = tail[sequence * edge : (sequence + 1) * edge]
        for number in range(blocks):
            first = (blocks - 1 - number if reverse else number) * block
            count = min(block, length - first)
            tiles, row = (count + WIDE - 1) // WIDE, sequence * length + first
            own = h[row * width : (row + count) * width]
            passes.project_rows(
                (count, width, inner, inner), own, norm, eps, into, gate_into, x, gate, 0, tiles
            )
            convolve_rows((count, inner, kernel), x, taps, bias, before, u, reverse)
            _move_tail(x, count, inner, kernel - 1, before, reverse)
            passes.scan_rows(
                (count, inner, rank, STATES), u.view(into.dtype), operands, norms, own_eps, step, step_bias,
                dt, B, C, 0, tiles,
            )  # fmt: skip
            walk((count, inner), u, dt, B, C, skip, gate, u, states, decays, reverse)
            to = out[row * width : (row + count) * width]
            passes.add_rows((count, width, inner), own, u.view(into.dtype), out_of, to, 0, tiles)
        end_states(states, inner, state, sequence * inner * STATES)


@compiled
def _move_tail(x: Any, count: int, inner: int, kept: int, tail: Any, reverse: bool) -> None:
    """As `reference.moved_tail`, of one sequence and in place."""
    for i in range(kept):
        row = kept - 1 - i if reverse else i
        source = row if reverse else count - kept + row
        there = source < count if reverse else source >= 0
        behind = source - count if reverse else source + kept
        for at in range(0, inner, LANES):
            lanes = min(LANES, inner - at)
            value = load(x, source * inner + at, lanes) if there else load(tail, behind * inner + at, lanes)
            store(tail, row * inner + at, lanes, value)


def add_mamba(
    h: Tensor, norm: Tensor, eps: float, weights: MambaWeights, tail: Tensor, ssm: Tensor, *, reverse: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """As `reference.add_mamba`; N must be 16."""
    if len(h) < torch.get_num_threads():
        return _one_by_one(h, norm, eps, weights, tail, ssm, reverse)
    into, gate_into, operands, out_of = words(weights.into, weights.gate, weights.operands, weights.out_of)
    like = np.empty(0, np.uint16 if into.dtype == np.uint32 else np.float32)
    batch, length, width = h.shape
    inner, kernel = weights.taps.shape
    block = min(-(-length // WIDE), max(1, _VALUES // (4 * inner * WIDE))) * WIDE
    sizes = length, width, inner, len(weights.norms[0]), kernel, block
    h, tail, ssm = h.contiguous(), _copied(tail), _copied(ssm)
    out = torch.empty_like(h)
    arrays = (
        *flat(h, norm.float()), np.float32(eps), into, gate_into,
        *flat(weights.taps.T, weights.bias), operands,
        *flat(torch.cat(weights.norms).float()), np.float32(weights.eps), *flat(weights.step.float()),
        *flat(weights.step_bias.float(), weights.decay * float(LOG2E), weights.skip), out_of,
        *flat(tail, ssm), like, *flat(out),
    )  # fmt: skip
    run_in_slices(partial(_mix, sizes, *arrays, reverse), batch)
    return out, tail, ssm


def _copied(x: Tensor) -> Tensor:
    return x.clone(memory_format=torch.contiguous_format)


def _one_by_one(
    h: Tensor, norm: Tensor, eps: float, weights: MambaWeights, tail: Tensor, ssm: Tensor, reverse: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The same with each operation shared out among threads."""
    x, gate = passes.project(h, norm, eps, weights.into, weights.gate)
    u = conv_silu(x, weights.taps, weights.bias, tail, reverse=reverse)
    dt, B, C = passes.scan_operands(
        u, weights.operands, weights.norms, weights.eps, weights.step, weights.step_bias
    )
    y, last = selective_scan(u, dt, weights.decay, B, C, weights.skip, gate, ssm, reverse=reverse)
    return passes.add_product(h, y, weights.out_of), moved_tail(x, tail, reverse), last
