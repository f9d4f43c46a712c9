"""The selective scan and its gradient in Triton: no compiler at install time, any CUDA GPU.

A program walks a chunk of the steps with a block of channels; one thread holds all states of its
channels in registers, so that nothing is exchanged between threads at a step. Where sequences and
channels alone would leave most of the GPU idle, the steps are cut into chunks that run side by side:

1. each chunk from a zero state, for its last state and its sum of steps;
2. from chunk to chunk, the states they begin with (the recurrence is linear);
3. each chunk again, from the state that it begins with.

The backward pass does the same with the gradient of the state, from the last step to the first. It
recomputes the states of a few steps at a time out of states kept at every `_SEGMENT` steps.

Steps are counted in the order of the walk, rows in that of the sequence: with `REVERSE` step s is row
T - 1 - s, so that no stream is ever flipped in memory. States are (B, N, d_in) in here.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from janusdna.ops.triton.launch import launch
from janusdna.ops.triton.math import sigmoid, softplus

__all__ = ["selective_scan"]

# Channels of a program: two a thread forward; backward half a one, as a segment's states fill the registers.
_CHANNELS = 64
_CHANNELS_BACKWARD = 16
_SEGMENT = 8
# Warps that keep a GPU busy; fixed, so that the same input gives the same sums on any of them.
_WARPS_WANTED = 4096
_SHORTEST_CHUNK = 64


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
    """As `reference.selective_scan`, in float32 inside; N is a power of two."""
    if initial_state is None:
        initial_state = x.new_zeros(x.shape[0], *A.shape, dtype=torch.float32)
    out: tuple[Tensor, Tensor] = _SelectiveScan.apply(x, dt, A, B, C, D, z, initial_state, reverse)
    return out


class _SelectiveScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *operands: Any) -> tuple[Tensor, Tensor]:
        *tensors, initial, reverse = operands
        x, dt, B, C, z = (tensors[i].contiguous() for i in (0, 1, 3, 4, 6))
        A, D = tensors[2].float().T.contiguous(), tensors[5].float().contiguous()
        plan = _Plan(x, A, reverse)
        starts = plan.starts(x, dt, A, B, initial.float().mT)
        y, last = torch.empty_like(x), torch.empty_like(starts[:, 0])
        plan.run(_scan, _CHANNELS, x, dt, z, A, B, C, D, starts, y, last)
        ctx.plan, ctx.dtypes = plan, [operand.dtype for operand in (*tensors, initial)]
        ctx.save_for_backward(x, dt, z, A, B, C, D, starts)
        return y, last.mT

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, dt, z, A, B, C, D, starts = ctx.saved_tensors
        plan: _Plan = ctx.plan
        dy = grads[0].contiguous()
        ends = plan.ends(dy, dt, z, A, C, grads[1].float().mT)
        dx, ddt, dz = (torch.empty_like(operand) for operand in (x, dt, z))
        blocks = triton.cdiv(plan.channels, _CHANNELS_BACKWARD)
        dB, dC = x.new_empty(2, blocks, *B.shape, dtype=torch.float32)
        dA, dinitial = torch.empty_like(starts), torch.empty_like(starts[:, 0])
        dD = x.new_empty(plan.batch, plan.chunks, plan.channels, dtype=torch.float32)
        kept = x.new_empty(
            plan.batch, triton.cdiv(plan.length, _SEGMENT), *starts.shape[2:], dtype=torch.float32
        )
        given = (x, dt, z, A, B, C, D, dy, starts, ends)
        grads_of = (dx, ddt, dz, dA, dB, dC, dD, dinitial)
        plan.run(_scan_backward, _CHANNELS_BACKWARD, *given, kept, *grads_of, SEGMENT=_SEGMENT)
        found = (dx, ddt, dA.sum((0, 1)).T, dB.sum(0), dC.sum(0), dD.sum((0, 1)), dz, dinitial.mT)
        return *(grad.to(dtype) for grad, dtype in zip(found, ctx.dtypes, strict=True)), None


class _Plan:
    """How a scan is cut, and the launches that all of its kernels have in common."""

    def __init__(self, x: Tensor, A: Tensor, reverse: bool) -> None:
        self.batch, self.length, self.channels = x.shape
        self.states, self.reverse = A.shape[0], reverse
        self.chunk = _chunk_length(self.batch * triton.cdiv(self.channels, _CHANNELS), self.length)
        self.chunks = triton.cdiv(self.length, self.chunk)

    def run(self, kernel: Any, width: int, *operands: Tensor, **constants: int) -> None:
        grid = self.batch * self.chunks, triton.cdiv(self.channels, width)
        sizes = self.length, self.channels, self.chunk, self.chunks
        constants |= {"N": self.states, "BLOCK": width, "REVERSE": self.reverse}
        launch(kernel, grid, *operands, *sizes, **constants, num_warps=1)

    def starts(self, x: Tensor, dt: Tensor, A: Tensor, B: Tensor, initial: Tensor) -> Tensor:
        """The states that chunks begin with, (B, chunks, N, d_in)."""
        if self.chunks == 1:
            return initial[:, None].contiguous()
        found, steps = self._empty_states(x)
        self.run(_last_states, _CHANNELS, x, dt, A, B, found, steps)
        return self._carry(found, steps, A, initial, backward=False)

    def ends(self, dy: Tensor, dt: Tensor, z: Tensor, A: Tensor, C: Tensor, dlast: Tensor) -> Tensor:
        """The gradients of the states that chunks end with, (B, chunks, N, d_in)."""
        if self.chunks == 1:
            return dlast[:, None].contiguous()
        found, steps = self._empty_states(dy)
        self.run(_first_gradients, _CHANNELS, dy, dt, z, A, C, found, steps)
        return self._carry(found, steps, A, dlast, backward=True)

    def _empty_states(self, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = self.batch, self.chunks, self.states, self.channels
        states = like.new_empty(shape, dtype=torch.float32)
        return states, like.new_empty(*shape[:2], self.channels, dtype=torch.float32)

    def _carry(self, found: Tensor, steps: Tensor, A: Tensor, first: Tensor, *, backward: bool) -> Tensor:
        grid = self.batch, triton.cdiv(self.channels, _CHANNELS)
        constants = {"N": self.states, "BLOCK": _CHANNELS, "BACKWARD": backward}
        operands = found, steps, A, first.contiguous(), self.chunks, self.channels
        launch(_from_chunk_to_chunk, grid, *operands, **constants, num_warps=1)
        return found


def _chunk_length(programs: int, length: int) -> int:
    """Steps of a chunk: so many that programs for all chunks keep a GPU busy, but not too few."""
    chunks = max(1, min(_WARPS_WANTED // programs, length // _SHORTEST_CHUNK))
    return int(triton.cdiv(triton.cdiv(length, chunks), _SEGMENT) * _SEGMENT)


@triton.jit
def _last_states(
    x, dt, A, B, found, steps, length, channels, chunk, chunks,
    N: tl.constexpr, BLOCK: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    """Each chunk's last state out of a zero one, and its sum of steps."""
    place, sequence, at, d, n, inside = _program(chunks, channels, N, BLOCK)
    decay = _decay(A, n, d, channels, inside)
    h = tl.zeros((N, BLOCK), tl.float32)
    elapsed = tl.zeros((BLOCK,), tl.float32)
    for s in range(at * chunk, min((at + 1) * chunk, length)):
        row = _row(sequence, s, length, REVERSE)
        u = _channels(x, row, d, channels, inside)
        delta = softplus(_channels(dt, row, d, channels, inside))
        b = _states(B, row, n, N)
        h = tl.exp2(delta[None, :] * decay) * h + (delta * u)[None, :] * b[:, None]
        elapsed += delta
    tl.store(found + (place * N + n[:, None]) * channels + d[None, :], h, mask=inside[None, :])
    tl.store(steps + place * channels + d, elapsed, mask=inside)


@triton.jit
def _first_gradients(
    dy, dt, z, A, C, found, steps, length, channels, chunk, chunks,
    N: tl.constexpr, BLOCK: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    """The gradient of each chunk's first state where that of its last is zero, and its sum of steps."""
    place, sequence, at, d, n, inside = _program(chunks, channels, N, BLOCK)
    decay = _decay(A, n, d, channels, inside)
    g = tl.zeros((N, BLOCK), tl.float32)
    elapsed = tl.zeros((BLOCK,), tl.float32)
    begin, end = at * chunk, min((at + 1) * chunk, length)
    for back in range(end - begin):
        s = end - 1 - back
        row = _row(sequence, s, length, REVERSE)
        gate = _channels(z, row, d, channels, inside)
        dout = _channels(dy, row, d, channels, inside)
        delta = softplus(_channels(dt, row, d, channels, inside))
        c = _states(C, row, n, N)
        draw = dout * gate * sigmoid(gate)
        g = tl.exp2(delta[None, :] * decay) * (g + draw[None, :] * c[:, None])
        elapsed += delta
    tl.store(found + (place * N + n[:, None]) * channels + d[None, :], g, mask=inside[None, :])
    tl.store(steps + place * channels + d, elapsed, mask=inside)


@triton.jit
def _from_chunk_to_chunk(
    found, steps, A, first, chunks, channels, N: tl.constexpr, BLOCK: tl.constexpr, BACKWARD: tl.constexpr
):
    """What each chunk makes of zeros becomes what it begins with."""
    sequence = tl.program_id(0).to(tl.int64)
    d = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    n = tl.arange(0, N)
    inside = d < channels
    decay = _decay(A, n, d, channels, inside)
    tile = n[:, None] * channels + d[None, :]
    h = tl.load(first + sequence * N * channels + tile, mask=inside[None, :], other=0.0)
    for i in range(chunks):
        place = sequence * chunks + (chunks - 1 - i if BACKWARD else i)
        own = tl.load(found + place * N * channels + tile, mask=inside[None, :], other=0.0)
        elapsed = tl.load(steps + place * channels + d, mask=inside, other=0.0)
        tl.store(found + place * N * channels + tile, h, mask=inside[None, :])
        h = tl.exp2(elapsed[None, :] * decay) * h + own


@triton.jit
def _scan(
    x, dt, z, A, B, C, D, starts, y, last, length, channels, chunk, chunks,
    N: tl.constexpr, BLOCK: tl.constexpr, REVERSE: tl.constexpr
):  # fmt: skip
    """Each chunk from the state that it begins with."""
    place, sequence, at, d, n, inside = _program(chunks, channels, N, BLOCK)
    decay = _decay(A, n, d, channels, inside)
    skip = tl.load(D + d, mask=inside, other=0.0)
    h = tl.load(starts + (place * N + n[:, None]) * channels + d[None, :], mask=inside[None, :], other=0.0)
    for s in range(at * chunk, min((at + 1) * chunk, length)):
        row = _row(sequence, s, length, REVERSE)
        u = _channels(x, row, d, channels, inside)
        delta = softplus(_channels(dt, row, d, channels, inside))
        gate = _channels(z, row, d, channels, inside)
        b = _states(B, row, n, N)
        c = _states(C, row, n, N)
        h = tl.exp2(delta[None, :] * decay) * h + (delta * u)[None, :] * b[:, None]
        out = (tl.sum(h * c[:, None], axis=0) + skip * u) * gate * sigmoid(gate)
        tl.store(y + row * channels + d, out.to(y.dtype.element_ty), mask=inside)
    if at == chunks - 1:
        tl.store(last + (sequence * N + n[:, None]) * channels + d[None, :], h, mask=inside[None, :])


@triton.jit
def _scan_backward(
    x, dt, z, A, B, C, D, dy, starts, ends, kept, dx, ddt, dz, dA, dB, dC, dD, dinitial,
    length, channels, chunk, chunks,
    SEGMENT: tl.constexpr, N: tl.constexpr, BLOCK: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    """The gradients of each chunk's operands, from its first state and its last state's gradient."""
    place, sequence, at, d, n, inside = _program(chunks, channels, N, BLOCK)
    wide = inside[None, :]
    decay = _decay(A, n, d, channels, inside)
    skip = tl.load(D + d, mask=inside, other=0.0)
    tile = n[:, None] * channels + d[None, :]
    begin, end = at * chunk, min((at + 1) * chunk, length)
    segments = tl.cdiv(length, SEGMENT)
    first = begin // SEGMENT
    h = tl.load(starts + place * N * channels + tile, mask=wide, other=0.0)
    for segment in range(first, tl.cdiv(end, SEGMENT)):
        tl.store(kept + (sequence * segments + segment) * N * channels + tile, h, mask=wide)
        for s in range(segment * SEGMENT, min((segment + 1) * SEGMENT, end)):
            row = _row(sequence, s, length, REVERSE)
            u = _channels(x, row, d, channels, inside)
            delta = softplus(_channels(dt, row, d, channels, inside))
            b = _states(B, row, n, N)
            h = tl.exp2(delta[None, :] * decay) * h + (delta * u)[None, :] * b[:, None]
    tl.debug_barrier()
    g = tl.load(ends + place * N * channels + tile, mask=wide, other=0.0)
    grad_decay = tl.zeros((N, BLOCK), tl.float32)
    grad_skip = tl.zeros((BLOCK,), tl.float32)
    partial = (tl.program_id(1) * (tl.num_programs(0) // chunks) + sequence) * length
    for back in range(tl.cdiv(end, SEGMENT) - first):
        segment = tl.cdiv(end, SEGMENT) - 1 - back
        h = tl.load(kept + (sequence * segments + segment) * N * channels + tile, mask=wide, other=0.0)
        states = (h,)
        for i in tl.static_range(SEGMENT - 1):
            s = segment * SEGMENT + i
            row = _row(sequence, s, length, REVERSE)
            ok = d < tl.where(s < end, channels, 0)
            u = _channels(x, row, d, channels, ok)
            delta = softplus(_channels(dt, row, d, channels, ok))
            b = tl.load(B + row * N + n, mask=n < tl.where(s < end, N, 0), other=0.0).to(tl.float32)
            h = tl.exp2(delta[None, :] * decay) * h + (delta * u)[None, :] * b[:, None]
            states = states + (h,)  # type: ignore[assignment]  # noqa: RUF005
        for j in tl.static_range(SEGMENT):
            s = segment * SEGMENT + SEGMENT - 1 - j
            if s < end:
                row = _row(sequence, s, length, REVERSE)
                u = _channels(x, row, d, channels, inside)
                step = _channels(dt, row, d, channels, inside)
                gate = _channels(z, row, d, channels, inside)
                dout = _channels(dy, row, d, channels, inside)
                b = _states(B, row, n, N)
                c = _states(C, row, n, N)
                delta, opened = softplus(step), sigmoid(gate)
                kept_share = tl.exp2(delta[None, :] * decay)
                before = states[SEGMENT - 1 - j]
                now = kept_share * before + (delta * u)[None, :] * b[:, None]
                raw = tl.sum(now * c[:, None], axis=0) + skip * u
                dgate = dout * raw * opened * (1 + gate * (1 - opened))
                draw = dout * gate * opened
                g += draw[None, :] * c[:, None]
                tl.store(
                    dC + (partial + row - sequence * length) * N + n, tl.sum(now * draw[None, :], axis=1)
                )
                tl.store(
                    dB + (partial + row - sequence * length) * N + n, tl.sum(g * (delta * u)[None, :], axis=1)
                )
                g_b = tl.sum(g * b[:, None], axis=0)
                g *= kept_share
                g_before = g * before
                grad_decay += g_before * delta[None, :]
                # decay is A in powers of two: ln 2 brings it back.
                ddelta = g_b * u + tl.sum(g_before * decay, axis=0) * 0.6931471805599453
                grad_skip += draw * u
                tl.store(dz + row * channels + d, dgate.to(dz.dtype.element_ty), mask=inside)
                tl.store(
                    ddt + row * channels + d, (ddelta * sigmoid(step)).to(ddt.dtype.element_ty), mask=inside
                )
                tl.store(
                    dx + row * channels + d, (draw * skip + g_b * delta).to(dx.dtype.element_ty), mask=inside
                )
    if at == 0:
        tl.store(dinitial + sequence * N * channels + tile, g, mask=wide)
    tl.store(dA + place * N * channels + tile, grad_decay, mask=wide)
    tl.store(dD + place * channels + d, grad_skip, mask=inside)


@triton.jit
def _program(chunks, channels, N: tl.constexpr, BLOCK: tl.constexpr):
    """Which chunk, sequence and channels are this program's."""
    place = tl.program_id(0).to(tl.int64)
    d = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    return place, place // chunks, tl.program_id(0) % chunks, d, tl.arange(0, N), d < channels


@triton.jit
def _row(sequence, s, length, REVERSE: tl.constexpr):
    """Where step s of the walk stands."""
    return sequence * length + (length - 1 - s if REVERSE else s)


@triton.jit
def _channels(x, row, d, channels, inside):
    """A row of a block of channels, (BLOCK,)."""
    return tl.load(x + row * channels + d, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def _states(x, row, n, N: tl.constexpr):
    """A row of B or C, (N,)."""
    return tl.load(x + row * N + n).to(tl.float32)


@triton.jit
def _decay(A, n, d, channels, inside):
    """A of a block of channels, (N, BLOCK), as a power of two: exp(delta A) = 2^(delta decay)."""
    a = tl.load(A + n[:, None] * channels + d[None, :], mask=inside[None, :], other=0.0)
    return a * 1.4426950408889634
