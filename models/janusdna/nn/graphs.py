"""Short windows on a GPU: a pass as one CUDA graph, so that its processors do not wait for launches.

A pass over 64 windows of 1,024 bases is some hundred kernels of microseconds each; to launch them one by
one from Python takes longer than to run them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from janusdna.nn.prediction import Prediction, Reading

__all__ = ["GraphedPasses"]

# A shape is worth a graph when it came before, and there is room for the graphs of so many shapes.
_SEEN_BEFORE = 1
_MOST_GRAPHS = 4
# Above, kernels take longer than launches; their memory would be kept for the graph alone.
_MOST_BASES = 1 << 20

Shapes = tuple[torch.Size, torch.Size]


class _Pass(NamedTuple):
    """A captured pass: it reads `ids` and `targets` and writes `prediction`, where they are."""

    graph: torch.cuda.CUDAGraph
    ids: Tensor
    targets: Tensor
    prediction: Prediction


class GraphedPasses:
    """Runs a network's passes without gradient, those over batches of a shape that recurs as CUDA graphs.

    Args:
        network: Whose passes, over ids and targets; its weights stay where they are.
        capturable: Whether its kernels can be captured.
    """

    def __init__(self, network: Callable[[Tensor, Tensor], Prediction], *, capturable: bool) -> None:
        self._network = network
        self._capturable = capturable
        self._seen: Counter[Shapes] = Counter()
        self._passes: dict[Shapes, _Pass] = {}

    def __call__(self, ids: Tensor, targets: Tensor) -> Reading:
        """As the network itself."""
        shapes = ids.shape, targets.shape
        captured = self._passes.get(shapes)
        if captured is None:
            if not self._is_worth_it(ids, targets):
                prediction = self._network(ids, targets)
                return Reading(prediction.hidden, prediction.logits)
            captured = self._passes[shapes] = self._capture(ids, targets)
        captured.ids.copy_(ids)
        captured.targets.copy_(targets)
        captured.graph.replay()
        return Reading(captured.prediction.hidden.clone(), captured.prediction.logits.clone())

    def _is_worth_it(self, ids: Tensor, targets: Tensor) -> bool:
        if ids.device.type != "cuda" or len(self._passes) == _MOST_GRAPHS or ids.numel() > _MOST_BASES:
            return False
        if not self._capturable:
            return False
        shapes = ids.shape, targets.shape
        self._seen[shapes] += 1
        return self._seen[shapes] > _SEEN_BEFORE

    def _capture(self, ids: Tensor, targets: Tensor) -> _Pass:
        """The pass that came before has compiled and set up all that a capture must not do."""
        ids, targets, graph = ids.clone(), targets.clone(), torch.cuda.CUDAGraph()
        # Other threads go on with their own calls meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            prediction = self._network(ids, targets)
        return _Pass(graph, ids, targets, prediction)
