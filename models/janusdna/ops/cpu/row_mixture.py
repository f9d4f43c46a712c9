"""A mixture of experts with its norm and residual on a CPU: three passes over tiles, without a gradient.

Every token is routed; tokens that visit one expert are brought together in its tiles; what they bring home is
added up. Which rows share a tile changes nothing in them, so the number of threads does not either.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna.ops.cpu.arrays import flat, words
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.math import LOG2E, aligned
from janusdna.ops.cpu.mixture import combine
from janusdna.ops.cpu.rows import gate
from janusdna.ops.cpu.simd import LANES, choose, exp2, load, maximum, spread, store
from janusdna.ops.cpu.threads import run_in_slices
from janusdna.ops.cpu.tiles import (
    WIDE,
    gather_tile,
    multiply,
    normalise,
    pack,
    per_word,
    places_of,
    scatter_tile,
    tile_size,
    tiles_of,
)

__all__ = ["add_mixture"]

_LEAST_TILES = 4
_ZERO, _ONE, _NEVER = np.float32(0), np.float32(1), np.float32(-1e30)


@compiled
def _route(
    sizes: Any, h: Any, norm: Any, eps: Any, router: Any, probabilities: Any, weights: Any, choices: Any,
    start: int, end: int,
) -> None:  # fmt: skip
    """Items are tiles of tokens."""
    rows, width, experts, chosen = sizes
    tile, logits, size = aligned(tile_size(width)), aligned(tile_size(experts)), width // per_word(router)
    shares, which = aligned(tile_size(experts)), aligned(WIDE)
    places, of_experts = np.empty(WIDE, np.int64), np.empty(WIDE, np.int64)
    for item in range(start, end):
        places_of(item, rows, width, places)
        gather_tile(h, places, width, tile)
        normalise(tile, 0, width, norm, eps, tile)
        pack(router, tile, width)
        multiply(tile, router, 0, size, experts, logits, 0)
        _softmax(logits, experts, shares)
        places_of(item, rows, experts, of_experts)
        scatter_tile(shares, 0, experts, probabilities, of_experts, 0)
        for choice in range(chosen):
            _take_best(logits, experts, which)
            for row in range(min(WIDE, rows - item * WIDE)):
                expert = int(which[row])
                logits[expert * WIDE + row] = _NEVER
                place = (item * WIDE + row) * chosen + choice
                choices[place] = expert
                weights[place] = shares[expert * WIDE + row]


@compiled
def _softmax(logits: Any, experts: int, shares: Any) -> None:
    for lane in range(0, WIDE, LANES):
        largest, total = load(logits, lane, LANES), spread(_ZERO)
        for e in range(1, experts):
            largest = maximum(load(logits, e * WIDE + lane, LANES), largest)
        for e in range(experts):
            here = e * WIDE + lane
            value = exp2((load(logits, here, LANES) - largest) * spread(LOG2E))
            total = total + value
            store(shares, here, LANES, value)
        share = spread(_ONE) / total
        for e in range(experts):
            here = e * WIDE + lane
            store(shares, here, LANES, load(shares, here, LANES) * share)


@compiled
def _take_best(values: Any, experts: int, which: Any) -> None:
    """Where the largest of each row stands, the first of equal ones.

    Of logits: where an expert is nearly certain, probabilities of others round to equal ones.
    """
    for lane in range(0, WIDE, LANES):
        largest, found = load(values, lane, LANES), spread(_ZERO)
        for e in range(1, experts):
            value = load(values, e * WIDE + lane, LANES)
            behind = largest - value
            found = choose(behind, found, spread(np.float32(e)))
            largest = choose(behind, largest, value)
        store(which, lane, LANES, found)


@compiled
def _arrange(choices: Any, chosen: int, loads: Any, visitors: Any, places: Any) -> None:
    """Tokens by the expert they visit, and where each choice stands among them."""
    for expert in choices:
        loads[expert] += 1
    next_place = np.zeros(loads.size, np.int64)
    for e in range(1, loads.size):
        next_place[e] = next_place[e - 1] + loads[e - 1]
    for choice in range(choices.size):
        expert = choices[choice]
        place = next_place[expert]
        next_place[expert] = place + 1
        places[choice] = place
        visitors[place] = choice // chosen


@compiled
def _visit(
    sizes: Any, h: Any, norm: Any, eps: Any, into: Any, out_of: Any, parts: Any, visitors: Any, answers: Any,
    start: int, end: int,
) -> None:  # fmt: skip
    """Items are tiles of visitors of one expert, of which `parts` tells (expert, first, count)."""
    width, inner = sizes
    tile, gated, room = aligned(tile_size(width)), aligned(inner * WIDE), aligned(LANES * WIDE)
    size, places = inner // per_word(out_of), np.empty(WIDE, np.int64)
    for item in range(start, end):
        expert, first, count = parts[3 * item], parts[3 * item + 1], parts[3 * item + 2]
        for row in range(WIDE):
            places[row] = visitors[first + min(row, count - 1)] * width
        gather_tile(h, places, width, tile)
        normalise(tile, 0, width, norm, eps, tile)
        pack(into, tile, width)
        gate(tile, into, expert * 2 * inner, width, inner, room, gated)
        multiply(gated, out_of, expert * width, size, width, tile, 0)
        for row in range(WIDE):
            places[row] = (first + min(row, count - 1)) * width
        scatter_tile(tile, 0, width, answers, places, 0)


def add_mixture(
    h: Tensor, norm: Tensor, eps: float, router: Tensor, gate_up: Tensor, down: Tensor, experts_per_token: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As `reference.add_mixture`; of experts that are equal the first is chosen."""
    rows, experts = h.reshape(-1, h.shape[-1]), len(router)
    count, width = rows.shape
    probabilities, weights = h.new_empty(count, experts), h.new_empty(count, experts_per_token)
    choices = torch.empty(count, experts_per_token, dtype=torch.int64)
    vectors = (*flat(rows, norm.float()), np.float32(eps))
    sizes = (count, width, experts, experts_per_token)
    routed = (*flat(probabilities, weights), choices.view(-1).numpy())
    run_in_slices(
        partial(_route, sizes, *vectors, *words(router), *routed), tiles_of(count), least=_LEAST_TILES
    )
    loads, visitors, places = (np.zeros(n, np.int64) for n in (experts, *[choices.numel()] * 2))
    _arrange(choices.view(-1).numpy(), experts_per_token, loads, visitors, places)
    parts = _parts(loads)
    answers = h.new_empty(len(visitors), width)
    work = partial(
        _visit, (width, down.shape[2]), *vectors, *words(gate_up, down), parts, visitors, *flat(answers)
    )
    run_in_slices(work, len(parts) // 3, least=_LEAST_TILES)
    return combine(answers, places, weights, rows).view_as(h), probabilities, choices


def _parts(loads: Any) -> Any:
    """Tiles of each expert's visitors: (expert, first, count) one behind the other."""
    begins = np.concatenate(([0], np.cumsum(loads)[:-1]))
    parts = [
        (e, begin + first, min(WIDE, load - first))
        for e, (begin, load) in enumerate(zip(begins.tolist(), loads.tolist(), strict=True))
        for first in range(0, load, WIDE)
    ]
    return np.array(parts, np.int64).reshape(-1)
