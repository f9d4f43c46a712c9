"""A mixture of SwiGLU experts on a CPU: tokens sorted by expert, one product an expert."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops import reference
from janusdna.ops.arrays import flat, is_native
from janusdna.ops.numba_math import compiled
from janusdna.ops.simd import LANES, load, spread, store
from janusdna.ops.swiglu_cpu import swiglu
from janusdna.ops.threads import run_in_slices

__all__ = ["mixture"]

_VALUES_WORTH_A_THREAD = 1 << 16


@compiled
def _combine(
    answers: Any, places: Any, weights: Any, choices: int, width: int, out: Any, start: int, end: int
) -> None:
    """out[token] = sum of weight * answer over the token's choices; `places` are rows of `answers`."""
    for token in range(start, end):
        for first in range(0, width, LANES):
            lanes = min(LANES, width - first)
            mixed = spread(np.float32(0))
            for choice in range(token * choices, (token + 1) * choices):
                answer = load(answers, places[choice] * width + first, lanes)
                mixed = mixed + spread(weights[choice]) * answer
            store(out, token * width + first, lanes, mixed)


def mixture(
    tokens: Tensor, logits: Tensor, gate_up: Tensor, down: Tensor, experts_per_token: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As `reference.mixture`; by the reference where a gradient is wanted."""
    if torch.is_grad_enabled() or not is_native(tokens.dtype):
        return reference.mixture(tokens, logits, gate_up, down, experts_per_token)
    probabilities = logits.softmax(-1, dtype=torch.float32)
    weights, choices = probabilities.topk(experts_per_token, dim=-1)
    chosen = choices.view(-1)
    order = chosen.argsort(stable=True)
    loads = torch.bincount(chosen, minlength=len(down)).tolist()
    answers = _answers(tokens[order // experts_per_token], loads, gate_up, down)
    places = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))
    mixed = torch.empty_like(tokens)
    width = tokens.shape[1]
    work = partial(
        _combine, *flat(answers), places.numpy(), *flat(weights), experts_per_token, width, *flat(mixed)
    )
    run_in_slices(work, len(tokens), least=max(1, _VALUES_WORTH_A_THREAD // width))
    return mixed, probabilities, choices


def _answers(visiting: Tensor, loads: list[int], gate_up: Tensor, down: Tensor) -> Tensor:
    """What each expert makes of its rows; they come one expert after the other."""
    answers = torch.empty_like(visiting)
    room = visiting.new_empty(max(loads), gate_up.shape[1])
    parts = zip(visiting.split(loads), answers.split(loads), gate_up.unbind(), down.unbind(), strict=True)
    for rows, answer, into, out_of in parts:
        widened = torch.mm(rows, into.T, out=room[: len(rows)])
        torch.mm(swiglu(widened), out_of.T, out=answer)
    return answers
