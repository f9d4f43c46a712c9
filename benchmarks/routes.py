"""Which experts the bases of windows go to, and how closely that was decided, by one way of computing.

A way has a process of its own: what instructions PyTorch, MKL and Numba use is settled when they are loaded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from janusdna import Model, load, tokens
from janusdna.nn.feed_forward import MixtureOfExperts, Routing
from janusdna.nn.norm import RMSNorm

Ids = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]
Experts = npt.NDArray[np.uint8]

# Instructions of processors without AVX-512; MKL's products in the order that any processor sums in.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "",
}
_BASES_AT_ONCE = 1 << 13


class Way(NamedTuple):
    """One way to compute the same function.

    Attributes:
        name: As the tables call it.
        dtype: What it computes in.
        kernels: As `janusdna.load` takes them.
        environment: What its process begins with besides.
        alone: Whether each window is read for itself.
    """

    name: str
    dtype: str = "float32"
    kernels: str = "auto"
    environment: Mapping[str, str] = {}
    alone: bool = False


class Place(NamedTuple):
    """A layer with experts, of one stream; they sort as a stream goes through them."""

    reverse: bool
    layer: int


class Routes(NamedTuple):
    """What a layer's router decided of B windows of T bases, k experts each.

    Attributes:
        chosen: The experts, the best first, (B, T, k).
        tied: Whether the k-th best probability equals the next, (B, T).
        by_logits: The best by their logits, of a product in the dtype of the layer's rows, (B, T, k).
        exact: The best by a product in float64 of the same rows, (B, T, k).
        gap: How far the k-th best logit lies above the next, by the product in float64, (B, T).
        logit: The k-th best logit by that product, (B, T).
        rounding: By how much the product in the dtype of the rows has that gap otherwise, (B, T).
    """

    chosen: Experts
    tied: npt.NDArray[np.bool_]
    by_logits: Experts
    exact: Experts
    gap: Floats
    logit: Floats
    rounding: Floats


class Read(NamedTuple):
    """What a way read of B windows.

    Attributes:
        logp: Of A, C, G, T at n targets, (B, n, 4).
        routes: Of each layer with experts.
        seconds: Of the processor.
    """

    logp: Floats
    routes: dict[Place, Routes]
    seconds: float


class Reader:
    """A model in a process of its own, which computes in one way."""

    def __init__(self, way: Way, model: str) -> None:
        begin = partial(_open, model, way)
        self._process = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=begin)
        with patch.dict(os.environ, way.environment):
            self._process.submit(int).result()

    def read(self, ids: Ids, targets: Positions) -> Read:
        """Windows, (B, T), at n targets each, (B, n)."""
        return self._process.submit(_read, ids, targets).result()

    def close(self) -> None:
        """End its process."""
        self._process.shutdown()


class _Opened(NamedTuple):
    model: Model
    way: Way


class _Seen(NamedTuple):
    """What came into a layer, and its routing, (B, t, ...)."""

    rows: Tensor
    probabilities: Tensor
    chosen: Tensor


_opened: _Opened


def _open(model: str, way: Way) -> None:
    global _opened
    _opened = _Opened(load(model, device="cpu", dtype=way.dtype, kernels=way.kernels), way)


def _read(ids: Ids, targets: Positions) -> Read:
    at_once = 1 if _opened.way.alone else max(1, _BASES_AT_ONCE // ids.shape[1])
    parts = [
        _read_batch(
            _opened.model,
            *(torch.tensor(part[i : i + at_once]).long() for part in (ids, targets)),
        )
        for i in range(0, len(ids), at_once)
    ]
    routes = {
        place: Routes(
            *map(
                np.concatenate,
                zip(*(part.routes[place] for part in parts), strict=True),
            )
        )
        for place in parts[0].routes
    }
    logp = np.concatenate([part.logp for part in parts])
    return Read(logp, routes, sum(part.seconds for part in parts))


def _read_batch(model: Model, ids: Tensor, targets: Tensor) -> Read:
    layers = expert_layers(model)
    seen: dict[Place, list[_Seen]] = {place: [] for place in layers}
    with ExitStack() as watched:
        for place, layer in layers.items():
            watched.enter_context(patch.object(layer, "add", partial(_keep, seen[place], layer.add)))
        began = time.process_time()
        logits = model.read(ids, targets).logits
        seconds = time.process_time() - began
    routes = {place: _routes(place, parts, layers[place]) for place, parts in seen.items()}
    return Read(logits[..., tokens.ACGT].double().log_softmax(-1).numpy(), routes, seconds)


def _keep(
    parts: list[_Seen], add: Callable[..., tuple[Tensor, Routing]], h: Tensor, norm: RMSNorm
) -> tuple[Tensor, Routing]:
    """`MixtureOfExperts.add`, and what came in and was decided."""
    out, routing = add(h, norm)
    rows = norm(h)
    parts.append(_Seen(rows, *(part.view(*rows.shape[:-1], -1) for part in routing)))
    return out, routing


def _routes(place: Place, parts: list[_Seen], layer: MixtureOfExperts) -> Routes:
    """Of what was walked in chunks: a reverse stream begins with the last."""
    in_order = zip(*(reversed(parts) if place.reverse else parts), strict=True)
    seen = _Seen(*(torch.cat(part, dim=1) for part in in_order))
    k = layer.experts_per_token
    logits, exact = logits_of(seen.rows, layer), logits_of(seen.rows.double(), layer)
    best, experts = exact.topk(k + 1)
    last, following = best[..., k - 1], best[..., k]
    otherwise = logits.double().gather(-1, experts)
    probable = seen.probabilities.topk(k + 1).values
    found = (
        seen.chosen.byte(),
        probable[..., k - 1] == probable[..., k],
        logits.topk(k).indices.byte(),
        experts[..., :k].byte(),
        last - following,
        last,
        otherwise[..., k - 1] - otherwise[..., k] - (last - following),
    )
    return Routes(*(part.numpy() for part in found))


def expert_layers(model: Model) -> dict[Place, MixtureOfExperts]:
    """The layers with experts of both streams."""
    streams = (model.module.forward_stream, model.module.backward_stream)
    return {
        Place(stream.reverse, i): layer.feed_forward
        for stream in streams
        for i, layer in enumerate(stream.layers)
        if isinstance(layer.feed_forward, MixtureOfExperts)
    }


def logits_of(rows: Tensor, layer: MixtureOfExperts) -> Tensor:
    """A router's logits, by a product in the dtype of the rows."""
    return rows @ layer.router.weight.to(rows.dtype).T
