"""A mixture of SwiGLU experts on a CPU: tokens sorted by expert, products one an expert.

The backward pass keeps the experts' rows of gate and up. A row's gradient with respect to its router's
weight is the product of its activation with what comes back to it, so no answer has to be kept.
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
from janusdna.ops.cpu.math import sigmoid
from janusdna.ops.cpu.simd import LANES, load, spread, store, sum_of
from janusdna.ops.cpu.swiglu import gate_slope, swiglu
from janusdna.ops.cpu.threads import run_in_slices

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
def _gate_backward(
    width: int,
    rows: Any,
    back: Any,
    weights: Any,
    drows: Any,
    gated: Any,
    dweights: Any,
    start: int,
    end: int,
) -> None:
    """Of rows [gate, up]: their gradient, their activation times their weight, and the weight's gradient.

    `back` is what came back to the activations, before the weights.
    """
    for i in range(start, end):
        weight, along = spread(weights[i]), spread(np.float32(0))
        for first in range(0, width, LANES):
            lanes, at = min(LANES, width - first), 2 * i * width + first
            gate, up = load(rows, at, lanes), load(rows, at + width, lanes)
            gradient = load(back, i * width + first, lanes)
            opening = sigmoid(gate)
            opened = gate * opening
            along = along + opened * up * gradient
            gradient = gradient * weight
            store(gated, i * width + first, lanes, opened * up * weight)
            store(drows, at, lanes, gradient * up * gate_slope(gate, opening))
            store(drows, at + width, lanes, gradient * opened)
        dweights[i] = sum_of(along)


def mixture(
    tokens: Tensor, logits: Tensor, gate_up: Tensor, down: Tensor, experts_per_token: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As `reference.mixture`; with a gradient for float32 alone, else by the reference."""
    wanted = torch.is_grad_enabled()
    if not is_native(tokens.dtype) or (wanted and tokens.dtype != torch.float32):
        return reference.mixture(tokens, logits, gate_up, down, experts_per_token)
    probabilities = logits.softmax(-1, dtype=torch.float32)
    weights, choices = probabilities.topk(experts_per_token, dim=-1)
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


def _visits(choices: Tensor, experts: int) -> _Visits:
    chosen = choices.view(-1)
    order = chosen.argsort(stable=True)
    places = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))
    loads = torch.bincount(chosen, minlength=experts).tolist()
    return _Visits(order // choices.shape[1], places, order, loads)


def _answers(
    visiting: Tensor, loads: list[int], gate_up: Tensor, down: Tensor, kept: Tensor | None = None
) -> Tensor:
    """What each expert makes of its rows, one expert after the other; `kept` receives gate and up."""
    answers = torch.empty_like(visiting)
    if kept is None:
        room = visiting.new_empty(max(loads), gate_up.shape[1])
        rooms = [room[:load] for load in loads]
    else:
        rooms = list(kept.split(loads))
    parts = (visiting.split(loads), answers.split(loads), rooms, gate_up.unbind(), down.unbind())
    for rows, answer, widened, into, out_of in zip(*parts, strict=True):
        torch.mm(rows, into.T, out=widened)
        torch.mm(swiglu(widened), out_of.T, out=answer)
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
        kept = tokens.new_empty(len(visits.tokens), gate_up.shape[1])
        answers = _answers(visits.of(tokens), visits.loads, gate_up, down, kept)
        ctx.visits = visits
        ctx.save_for_backward(tokens, weights, gate_up, down, kept)
        return combine(answers, visits.places.numpy(), weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tokens, weights, gate_up, down, kept = ctx.saved_tensors
        visits: _Visits = ctx.visits
        visiting, dmixed = visits.of(tokens), visits.of(grads[0])
        dvisiting, dgate_up, ddown = (torch.empty_like(part) for part in (visiting, gate_up, down))
        by_visit = weights.view(-1)[visits.order]
        dweights, most = torch.empty_like(by_visit), max(visits.loads)
        # Rows of gate and up, what comes back to activations, activations: of one expert at a time.
        drows, back, gated = (
            tokens.new_empty(most, width) for width in (gate_up.shape[1], *[down.shape[2]] * 2)
        )
        start = 0
        for e, visitors in enumerate(visits.loads):
            own, start = slice(start, start + visitors), start + visitors
            torch.mm(dmixed[own], down[e], out=back[:visitors])
            arrays = flat(kept[own], back, by_visit[own], drows, gated, dweights[own])
            work = partial(_gate_backward, down.shape[2], *arrays)
            run_in_slices(work, visitors, least=max(1, _VALUES_WORTH_A_THREAD // down.shape[2]))
            torch.mm(dmixed[own].T, gated[:visitors], out=ddown[e])
            torch.mm(drows[:visitors].T, visiting[own], out=dgate_up[e])
            torch.mm(drows[:visitors], gate_up[e], out=dvisiting[own])
        dtokens = combine(dvisiting, visits.places.numpy(), torch.ones_like(weights))
        return dtokens, dweights[visits.places].view_as(weights), None, dgate_up, ddown
