"""A mixture of SwiGLU experts on a CPU: tokens sorted by expert, products one an expert.

For a gradient nothing is kept but the tokens: the way back computes the experts' gates again. A visit's
gradient with respect to its router's weight is the product of its activation with what comes back to that.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.cpu.arrays import flat, is_native
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.gated import from_tiles, go_back, room_of_a_tile, weight_tiles
from janusdna.ops.cpu.math import aligned
from janusdna.ops.cpu.rows import gate
from janusdna.ops.cpu.simd import LANES, load, spread, store
from janusdna.ops.cpu.swiglu import swiglu
from janusdna.ops.cpu.threads import run_in_slices
from janusdna.ops.cpu.tiles import WIDE, gather_tile, multiply, scatter_tile, tile_size

__all__ = ["combine", "mixture"]

_VALUES_WORTH_A_THREAD = 1 << 16
_NOTHING = np.empty(0, np.float32)


@compiled
def _combine(
    answers: Any,
    places: Any,
    weights: Any,
    choices: int,
    width: int,
    base: Any,
    out: Any,
    start: int,
    end: int,
) -> None:
    """out[token] = base + sum of weight * answer over the token's choices; `places` are rows of `answers`.

    An empty `base` is nothing.
    """
    for token in range(start, end):
        for first in range(0, width, LANES):
            lanes, here = min(LANES, width - first), token * width + first
            mixed = load(base, here, lanes) if base.size else spread(np.float32(0))
            for choice in range(token * choices, (token + 1) * choices):
                answer = load(answers, places[choice] * width + first, lanes)
                mixed = mixed + spread(weights[choice]) * answer
            store(out, here, lanes, mixed)


@compiled
def _visit(
    sizes: Any,
    tokens: Any,
    into: Any,
    out_of: Any,
    visitors: Any,
    begins: Any,
    answers: Any,
    start: int,
    end: int,
) -> None:
    """Items are experts, whose visitors are visitors[begins[e] : begins[e + 1]]."""
    width, inner = sizes
    tile, activations, room = aligned(tile_size(width)), aligned(inner * WIDE), aligned(LANES * WIDE)
    places = np.empty(WIDE, np.int64)
    for e in range(start, end):
        for first in range(begins[e], begins[e + 1], WIDE):
            _visitors(visitors, first, begins[e + 1], width, places)
            gather_tile(tokens, places, width, tile)
            gate(tile, into, e * 2 * inner, width, inner, room, activations)
            multiply(activations, out_of, e * width, inner, width, tile, 0)
            _places(first, begins[e + 1], width, places)
            scatter_tile(tile, 0, width, answers, places, 0)


@compiled
def _visitors(visitors: Any, first: int, end: int, width: int, places: Any) -> None:
    """Where the rows of a tile of visitors begin; the last one's again for those that are not there."""
    for row in range(WIDE):
        places[row] = visitors[min(first + row, end - 1)] * width


@compiled
def _places(first: int, end: int, width: int, places: Any) -> None:
    """Where what is theirs begins, visit by visit."""
    for row in range(WIDE):
        places[row] = min(first + row, end - 1) * width


@compiled
def _go_back(
    sizes: Any, tokens: Any, into: Any, out_of: Any, visitors: Any, begins: Any, by_visit: Any, dmixed: Any,
    dvisiting: Any, dweights: Any, dinto: Any, dout_of: Any, start: int, end: int,
) -> None:  # fmt: skip
    """Items as in `_visit`; `by_visit` are the router's weights, `dinto` and `dout_of` `weight_tiles`."""
    width, inner = sizes
    tile, back, room = aligned(tile_size(width)), aligned(tile_size(width)), aligned(room_of_a_tile(inner))
    rows, back_rows, weights = aligned(WIDE * width), aligned(WIDE * width), aligned(2 * WIDE)
    places, packed = np.empty(WIDE, np.int64), np.arange(WIDE) * width
    wide, narrow = dinto.size // (begins.size - 1), dout_of.size // (begins.size - 1)
    for e in range(start, end):
        own_into = into[e * 2 * inner * width : (e + 1) * 2 * inner * width]
        own_out_of = out_of[e * width * inner : (e + 1) * width * inner]
        for first in range(begins[e], begins[e + 1], WIDE):
            count = min(WIDE, begins[e + 1] - first)
            _visitors(visitors, first, begins[e + 1], width, places)
            gather_tile(tokens, places, width, tile)
            gather_tile(dmixed, places, width, back)
            scatter_tile(tile, 0, width, rows, packed, 0)
            scatter_tile(back, 0, width, back_rows, packed, 0)
            for row in range(WIDE):
                weights[row] = by_visit[first + min(row, count - 1)]
            go_back(
                (width, inner, count), tile, back, rows, back_rows, own_into, own_out_of, weights, room,
                dinto[e * wide : (e + 1) * wide], dout_of[e * narrow : (e + 1) * narrow],
            )  # fmt: skip
            dweights[first : first + count] = weights[WIDE : WIDE + count]
            _places(first, begins[e + 1], width, places)
            scatter_tile(back, 0, width, dvisiting, places, 0)


def mixture(
    tokens: Tensor, logits: Tensor, gate_up: Tensor, down: Tensor, experts_per_token: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As `reference.mixture`; with a gradient for float32 alone, else by the reference."""
    wanted = torch.is_grad_enabled()
    if not is_native(tokens.dtype) or (wanted and tokens.dtype != torch.float32):
        return reference.mixture(tokens, logits, gate_up, down, experts_per_token)
    probabilities, weights, choices = reference.routed(logits, experts_per_token)
    visits = _visits(choices, len(down))
    if wanted:
        mixed: Tensor = _Mixture.apply(tokens, weights, visits, gate_up, down)  # type: ignore[no-untyped-call]
    else:
        answers = _answers(visits.of(tokens), visits.loads, gate_up, down)
        mixed = combine(answers, visits.places.numpy(), weights)
    return mixed, probabilities, choices


class _Visits(NamedTuple):
    """Which tokens visit which expert.

    Attributes:
        tokens: By expert, (n k,).
        places: Where the choices of the first token stand among them, of the second, ..., (n k,).
        order: Which choice stands there, (n k,).
        loads: How many visit each expert.
    """

    tokens: Tensor
    places: Tensor
    order: Tensor
    loads: list[int]

    def of(self, rows: Tensor) -> Tensor:
        """The rows of tokens, one for each visit."""
        return rows[self.tokens]

    def arrays(self) -> tuple[Any, Any]:
        """The tokens, and where each expert's begin among them."""
        return self.tokens.numpy(), np.cumsum([0, *self.loads])


def _visits(choices: Tensor, experts: int) -> _Visits:
    chosen = choices.view(-1)
    order = chosen.argsort(stable=True)
    places = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))
    loads = torch.bincount(chosen, minlength=experts).tolist()
    return _Visits(order // choices.shape[1], places, order, loads)


def _answers(visiting: Tensor, loads: list[int], gate_up: Tensor, down: Tensor) -> Tensor:
    """What each expert makes of its rows, one expert after the other."""
    answers, room = torch.empty_like(visiting), visiting.new_empty(max(loads), gate_up.shape[1])
    parts = (visiting.split(loads), answers.split(loads), gate_up.unbind(), down.unbind())
    for rows, answer, into, out_of in zip(*parts, strict=True):
        torch.mm(rows, into.T, out=room[: len(rows)])
        torch.mm(swiglu(room[: len(rows)]), out_of.T, out=answer)
    return answers


def combine(answers: Tensor, places: Any, weights: Tensor, base: Tensor | None = None) -> Tensor:
    """The weighted sum over each token's visits, added to `base`.

    Args:
        answers: A row for each visit, (n k, d).
        places: Where among them each choice of the first token stands, of the second, ..., int64 (n k,).
        weights: (n, k).
        base: (n, d); None for zeros.
    """
    (count, choices), width = weights.shape, answers.shape[1]
    mixed = answers.new_empty(count, width)
    added = _NOTHING if base is None else flat(base)[0]
    work = partial(_combine, *flat(answers), places, *flat(weights), choices, width, added, *flat(mixed))
    run_in_slices(work, count, least=max(1, _VALUES_WORTH_A_THREAD // width))
    return mixed


class _Mixture(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, tokens: Tensor, weights: Tensor, visits: _Visits, gate_up: Tensor, down: Tensor
    ) -> Tensor:
        tokens = tokens.contiguous()
        answers = tokens.new_empty(len(visits.tokens), tokens.shape[1])
        arrays = (*flat(tokens, gate_up, down), *visits.arrays(), *flat(answers))
        run_in_slices(partial(_visit, tuple(down.shape[1:]), *arrays), len(down))
        ctx.visits = visits
        ctx.save_for_backward(tokens, weights, gate_up, down)
        return combine(answers, visits.places.numpy(), weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tokens, weights, gate_up, down = ctx.saved_tensors
        visits: _Visits = ctx.visits
        experts, width, inner = down.shape
        by_visit = weights.view(-1)[visits.order]
        dweights, dvisiting = torch.empty_like(by_visit), tokens.new_empty(len(by_visit), width)
        dinto, dout_of = weight_tiles(experts, width, inner)
        before, after = (
            flat(tokens, gate_up, down),
            flat(by_visit, grads[0], dvisiting, dweights, dinto, dout_of),
        )
        run_in_slices(partial(_go_back, (width, inner), *before, *visits.arrays(), *after), experts)
        dtokens = combine(dvisiting, visits.places.numpy(), torch.ones_like(weights))
        dgate_up, ddown = from_tiles(dinto, dout_of, inner)
        own = dweights[visits.places].view_as(weights)
        return dtokens, own, None, dgate_up.contiguous(), ddown.contiguous()
