"""The selective scan on a CPU: compiled kernels, forward and backward.

Sixteen neighbouring channels are the lanes of a register, so that nothing is ever summed across lanes on
the way forward, rows of x, dt, z and y are read as they lie in memory, and softplus, skip and gate join the
loop. Nothing of size (T, d_in, N) exists. Blocks of channels of all sequences are shared out among threads.

The forward pass leaves the state at every 16th step; the backward pass replays each such segment before it
walks back through it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops.cpu.arrays import flat, is_native
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.math import LOG2E, aligned, sigmoid, silu, softplus
from janusdna.ops.cpu.simd import LANES, exp2, fused, load, spread, store, totals
from janusdna.ops.cpu.threads import run_all, run_in_slices, slices

__all__ = ["STATES", "begin_states", "end_states", "selective_scan", "walk"]

STATES = 16
_STATE = STATES * LANES
_SEGMENT = 16
_NO_SEGMENTS = np.empty(0, np.float32)

_F = np.float32
_ZERO, _ONE = _F(0), _F(1)


@compiled
def _gather(source: Any, first: int, lanes: int, target: Any, offset: int) -> None:
    """Rows of channels, (d_in, N) flat from `first` on, to lanes: target[offset + n * LANES + lane]."""
    for n in range(STATES):
        for lane in range(LANES):
            value = source[first + lane * STATES + n] if lane < lanes else _ZERO
            target[offset + n * LANES + lane] = value


@compiled
def _scatter(source: Any, offset: int, target: Any, first: int, lanes: int) -> None:
    """The inverse of `_gather`."""
    for n in range(STATES):
        for lane in range(min(LANES, lanes)):
            target[first + lane * STATES + n] = source[offset + n * LANES + lane]


@compiled
def _blocks_of(b: int, blocks: int, start: int, end: int) -> Any:
    """Which blocks of sequence b are among the items [start, end)."""
    return max(start - b * blocks, 0), min(end - b * blocks, blocks)


@compiled
def _rows_of(b: int, length: int, segment: int, reverse: bool, rows: Any) -> int:
    """Rows of a segment in order of the walk, and how many."""
    steps = min(_SEGMENT, length - segment * _SEGMENT)
    for j in range(steps):
        step = segment * _SEGMENT + j
        rows[j] = b * length + (length - 1 - step if reverse else step)
    return steps


@compiled
def _forward(
    sizes: Any, x: Any, dt: Any, A2: Any, B: Any, C: Any, D: Any, z: Any, state: Any, y: Any, kept: Any,
    reverse: bool, start: int, end: int,
) -> None:  # fmt: skip
    """Items are (sequence, block of channels); all arrays flat.

    `state` is read and left as the final one. `kept` receives the state before each segment, or nothing
    where it is empty.
    """
    length, channels = sizes
    blocks = (channels + LANES - 1) // LANES
    segments = (length + _SEGMENT - 1) // _SEGMENT
    states, decays, rows = aligned(blocks * _STATE), aligned(blocks * _STATE), np.empty(_SEGMENT, np.int64)
    for b in range(start // blocks, (end + blocks - 1) // blocks):
        low, high = _blocks_of(b, blocks, start, end)
        for block in range(low, high):
            first = block * LANES
            _gather(state, (b * channels + first) * STATES, channels - first, states, block * _STATE)
            _gather(A2, first * STATES, channels - first, decays, block * _STATE)
        for segment in range(segments):
            if kept.size:
                for block in range(low, high):
                    at, own = ((b * blocks + block) * segments + segment) * _STATE, block * _STATE
                    kept[at : at + _STATE] = states[own : own + _STATE]
            steps = _rows_of(b, length, segment, reverse, rows)
            _walk_segment(x, dt, B, C, D, z, y, states, decays, rows, steps, channels, low, high)
        for block in range(low, high):
            first = block * LANES
            _scatter(states, block * _STATE, state, (b * channels + first) * STATES, channels - first)


@compiled
def begin_states(source: Any, at: int, channels: int, states: Any) -> None:
    """States or decays of all channels, (d_in, N) flat from `at` on, as `walk` takes them."""
    for first in range(0, channels, LANES):
        _gather(source, at + first * STATES, channels - first, states, first * STATES)


@compiled
def end_states(states: Any, channels: int, target: Any, at: int) -> None:
    """The inverse of `begin_states`."""
    for first in range(0, channels, LANES):
        _scatter(states, first * STATES, target, at + first * STATES, channels - first)


@compiled
def walk(
    sizes: Any,
    x: Any,
    dt: Any,
    B: Any,
    C: Any,
    D: Any,
    z: Any,
    y: Any,
    states: Any,
    decays: Any,
    reverse: bool,
) -> None:
    """Some rows of one sequence, in order; `y` may be `x`. The states are moved on."""
    length, channels = sizes
    rows, blocks = np.empty(_SEGMENT, np.int64), (channels + LANES - 1) // LANES
    for segment in range((length + _SEGMENT - 1) // _SEGMENT):
        steps = _rows_of(0, length, segment, reverse, rows)
        _walk_segment(x, dt, B, C, D, z, y, states, decays, rows, steps, channels, 0, blocks)


@compiled
def _walk_segment(
    x: Any, dt: Any, B: Any, C: Any, D: Any, z: Any, y: Any, states: Any, decays: Any, rows: Any, steps: int,
    channels: int, low: int, high: int,
) -> None:  # fmt: skip
    """One segment of the blocks of channels [low, high)."""
    for block in range(low, high):
        first = block * LANES
        lanes = min(LANES, channels - first)
        skip, own = load(D, first, lanes), block * _STATE
        _walk(x, dt, B, C, z, y, skip, states, decays, own, rows, steps, channels, first, lanes)


@compiled
def _walk(
    x: Any, dt: Any, B: Any, C: Any, z: Any, y: Any, skip: Any, states: Any, decays: Any, own: int,
    rows: Any, steps: int, channels: int, first: int, lanes: int,
) -> None:  # fmt: skip
    """One segment of one block, whose states and decays begin at `own`."""
    for j in range(steps):
        at, row = rows[j] * channels + first, rows[j] * STATES
        u, delta = load(x, at, lanes), softplus(load(dt, at, lanes))
        du, out = delta * u, skip * u
        for n in range(STATES):
            here = own + n * LANES
            decay = exp2(delta * load(decays, here, LANES))
            new = fused(decay, load(states, here, LANES), du * spread(B[row + n]))
            out = fused(new, spread(C[row + n]), out)
            store(states, here, LANES, new)
        store(y, at, lanes, out * silu(load(z, at, lanes)))


# Where in its one buffer the backward pass keeps what, so that its inner loops need few addresses: the
# gradients of B and C by lane; for each step of a segment [state before | decays | delta | output]; for each
# block [A | A log2 e | gradient of the state | of A | of D].
_OF_B, _OF_C, _STEPS = 0, _STATE, 2 * _STATE
_DECAYS, _DELTA, _OUTPUT, _STEP = _STATE, 2 * _STATE, 2 * _STATE + LANES, 2 * _STATE + 2 * LANES
_BLOCKS = _STEPS + (_SEGMENT + 1) * _STEP
_A2, _OF_STATE, _OF_A, _OF_D, _BLOCK = _STATE, 2 * _STATE, 3 * _STATE, 4 * _STATE, 4 * _STATE + LANES


@compiled
def _replay(
    x: Any, dt: Any, B: Any, C: Any, skip: Any, work: Any, own: int, rows: Any,
    steps: int, channels: int, first: int, lanes: int,
) -> None:  # fmt: skip
    """Walk a segment forward from its first state, and keep what the way back needs."""
    for j in range(steps):
        at, row, here = rows[j] * channels + first, rows[j] * STATES, _STEPS + j * _STEP
        u, delta = load(x, at, lanes), softplus(load(dt, at, lanes))
        du, out = delta * u, skip * u
        for n in range(STATES):
            state = here + n * LANES
            decay = exp2(delta * load(work, own + _A2 + n * LANES, LANES))
            new = decay * load(work, state, LANES) + du * spread(B[row + n])
            out = out + new * spread(C[row + n])
            store(work, state + _DECAYS, LANES, decay)
            store(work, state + _STEP, LANES, new)
        store(work, here + _DELTA, LANES, delta)
        store(work, here + _OUTPUT, LANES, out)


@compiled
def _walk_back(
    x: Any, dt: Any, B: Any, C: Any, z: Any, dy: Any, dx: Any, ddt: Any, dB: Any, dC: Any, dz: Any,
    skip: Any, work: Any, own: int, rows: Any, steps: int, channels: int, first: int, lanes: int,
) -> None:  # fmt: skip
    """Through a replayed segment, last step first."""
    of_D = load(work, own + _OF_D, LANES)
    for j in range(steps - 1, -1, -1):
        at, row, here = rows[j] * channels + first, rows[j] * STATES, _STEPS + j * _STEP
        u, gate, dout = load(x, at, lanes), load(z, at, lanes), load(dy, at, lanes)
        delta, out = load(work, here + _DELTA, LANES), load(work, here + _OUTPUT, LANES)
        opening = sigmoid(gate)
        open_gate = gate * opening
        store(dz, at, lanes, dout * out * (opening + open_gate * (spread(_ONE) - opening)))
        dout = dout * open_gate
        du = delta * u
        through_input, through_decay = spread(_ZERO), spread(_ZERO)
        for n in range(STATES):
            block, state = own + n * LANES, here + n * LANES
            up = load(work, block + _OF_STATE, LANES) + dout * spread(C[row + n])
            carried = up * load(work, state + _DECAYS, LANES)
            old = carried * load(work, state, LANES)
            through_input = through_input + up * spread(B[row + n])
            through_decay = through_decay + old * load(work, block, LANES)
            of_A = load(work, block + _OF_A, LANES) + old * delta
            of_C = dout * load(work, state + _STEP, LANES)
            store(work, block + _OF_STATE, LANES, carried)
            store(work, block + _OF_A, LANES, of_A)
            store(work, _OF_B + n * LANES, LANES, up * du)
            store(work, _OF_C + n * LANES, LANES, of_C)
        store(dB, row, STATES, load(dB, row, STATES) + totals(work, _OF_B))
        store(dC, row, STATES, load(dC, row, STATES) + totals(work, _OF_C))
        store(dx, at, lanes, skip * dout + delta * through_input)
        store(ddt, at, lanes, (through_decay + u * through_input) * sigmoid(load(dt, at, lanes)))
        of_D = of_D + dout * u
    store(work, own + _OF_D, LANES, of_D)


@compiled
def _backward(
    sizes: Any, x: Any, dt: Any, A: Any, B: Any, C: Any, D: Any, z: Any, kept: Any, dy: Any,
    dx: Any, ddt: Any, dA: Any, dB: Any, dC: Any, dD: Any, dz: Any, dstate: Any,
    reverse: bool, start: int, end: int,
) -> None:  # fmt: skip
    """Items as in `_forward`; `dA` and `dD` are per sequence, `dB` and `dC` of these items alone.

    `dstate` holds the gradient of the final state and is left as that of the initial one.
    """
    length, channels = sizes
    blocks = (channels + LANES - 1) // LANES
    segments = (length + _SEGMENT - 1) // _SEGMENT
    work, rows = aligned(_BLOCKS + blocks * _BLOCK), np.empty(_SEGMENT, np.int64)
    for b in range(start // blocks, (end + blocks - 1) // blocks):
        low, high = _blocks_of(b, blocks, start, end)
        for block in range(low, high):
            own, first = _BLOCKS + block * _BLOCK, block * LANES
            _gather(A, first * STATES, channels - first, work, own)
            _gather(dstate, (b * channels + first) * STATES, channels - first, work, own + _OF_STATE)
            work[own + _OF_A : own + _BLOCK] = _ZERO
            for n in range(STATES):
                store(work, own + _A2 + n * LANES, LANES, load(work, own + n * LANES, LANES) * spread(LOG2E))
        for segment in range(segments - 1, -1, -1):
            steps = _rows_of(b, length, segment, reverse, rows)
            for block in range(low, high):
                own, first = _BLOCKS + block * _BLOCK, block * LANES
                lanes = min(LANES, channels - first)
                at = ((b * blocks + block) * segments + segment) * _STATE
                work[_STEPS : _STEPS + _STATE] = kept[at : at + _STATE]
                skip = load(D, first, lanes)
                _replay(x, dt, B, C, skip, work, own, rows, steps, channels, first, lanes)
                _walk_back(
                    x,
                    dt,
                    B,
                    C,
                    z,
                    dy,
                    dx,
                    ddt,
                    dB,
                    dC,
                    dz,
                    skip,
                    work,
                    own,
                    rows,
                    steps,
                    channels,
                    first,
                    lanes,
                )
        for block in range(low, high):
            own, first = _BLOCKS + block * _BLOCK, block * LANES
            _scatter(work, own + _OF_STATE, dstate, (b * channels + first) * STATES, channels - first)
            _scatter(work, own + _OF_A, dA, (b * channels + first) * STATES, channels - first)
            store(dD, b * channels + first, min(LANES, channels - first), load(work, own + _OF_D, LANES))


def selective_scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    z: Tensor,
    initial_state: Tensor | None = None,
    *,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """As `reference.selective_scan`, computed in float32; N must be 16."""
    if initial_state is None:
        initial_state = x.new_zeros(x.shape[0], *A.shape, dtype=torch.float32)
    operands = (x, dt, A, B, C, D, z, initial_state)
    if not torch.is_grad_enabled():
        return _scan(*operands, _NO_SEGMENTS, reverse)
    y, final_state = _SelectiveScan.apply(*operands, reverse)  # type: ignore[no-untyped-call]
    return y, final_state


def _items(x: Tensor) -> int:
    return int(x.shape[0] * -(-x.shape[2] // LANES))


def _scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    z: Tensor,
    state: Tensor,
    kept: Any,
    reverse: bool,
) -> tuple[Tensor, Tensor]:
    final = state.detach().float().clone(memory_format=torch.contiguous_format)
    y = torch.empty(x.shape, dtype=x.dtype if is_native(x.dtype) else torch.float32)
    arrays = (*flat(x, dt, A.float() * float(LOG2E), B.float(), C.float(), D.float(), z, final, y), kept)
    run_in_slices(partial(_forward, tuple(x.shape[1:]), *arrays, reverse), _items(x))
    return y.to(x.dtype), final


class _SelectiveScan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor,
        z: Tensor,
        state: Tensor,
        reverse: bool,
    ) -> tuple[Tensor, Tensor]:
        kept = torch.empty(_items(x) * -(-x.shape[1] // _SEGMENT) * _STATE)
        ctx.save_for_backward(x, dt, A, B, C, D, z, kept)
        ctx.reverse, ctx.state_dtype = reverse, state.dtype
        return _scan(x, dt, A, B, C, D, z, state, kept.numpy(), reverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        *operands, kept = ctx.saved_tensors
        x, dt, A, B, C, D, z = operands
        parts = slices(_items(x))
        dx, ddt, dz = (torch.empty(x.shape) for _ in range(3))
        dA, dD = torch.zeros(len(x), *A.shape), torch.zeros(len(x), len(A))
        dB, dC = (torch.zeros(len(parts), *B.shape) for _ in range(2))
        dstate = grads[1].float().clone(memory_format=torch.contiguous_format)
        arrays = flat(x, dt, A, B.float(), C.float(), D.float(), z, kept, grads[0])
        before, after = flat(dx, ddt, dA), flat(dD, dz, dstate)
        run_all(
            [
                partial(
                    _backward,
                    tuple(x.shape[1:]),
                    *arrays,
                    *before,
                    *flat(dB[i], dC[i]),
                    *after,
                    ctx.reverse,
                    *part,
                )
                for i, part in enumerate(parts)
            ]
        )
        gradients = (dx, ddt, dA.sum(0), dB.sum(0), dC.sum(0), dD.sum(0), dz)
        typed = (gradient.to(operand.dtype) for gradient, operand in zip(gradients, operands, strict=True))
        return (*typed, dstate.to(ctx.state_dtype), None)
