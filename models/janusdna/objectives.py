"""What training minimises, and what its examples look like.

| objective | position t is predicted from | counted |
|---|---|---|
| janus | all other positions | every base |
| mlm | all positions, of an input in which t is masked | the 15 % that were chosen |
| clm | the positions before t, by the forward stream alone | every base but the first |
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from janusdna import tokens
from janusdna.nn.feed_forward import Routing
from janusdna.nn.model import Sees
from janusdna.nn.prediction import Prediction
from janusdna.recipe import MASK_SHARE, Objective

__all__ = [
    "SEES",
    "Example",
    "autocast",
    "load_balancing_loss",
    "make_example",
    "router_loss",
    "surprisal",
]

SEES: dict[Objective, Sees] = {"janus": "others", "mlm": "all", "clm": "before"}

# Of the bases chosen, those that become [MASK], and any base. Source: Devlin et al., arXiv 1810.04805.
_MASKED, _RANDOM = 0.8, 0.1


class Example(NamedTuple):
    """Windows to learn from; B of them, or a single one without the first axis.

    Attributes:
        inputs: What the network reads, (B, T) uint8.
        labels: What it should predict, (B, T) uint8.
        weights: How much each position counts in the loss, (B, T) float32; 0 for not at all.
        kinds: What kind of base each position is, (B, T) uint8, where that is told apart.
    """

    inputs: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.float32]
    kinds: npt.NDArray[np.uint8] | None = None

    @property
    def size(self) -> int:
        """Windows."""
        return len(self.inputs)

    def part(self, start: int, end: int) -> Example:
        """The windows from `start` to `end`."""
        kinds = None if self.kinds is None else self.kinds[start:end]
        return Example(self.inputs[start:end], self.labels[start:end], self.weights[start:end], kinds)

    @classmethod
    def stacked(cls, examples: Sequence[Example]) -> Example:
        """Single windows as one batch."""
        kinds = [one.kinds for one in examples if one.kinds is not None]
        return cls(
            np.stack([one.inputs for one in examples]),
            np.stack([one.labels for one in examples]),
            np.stack([one.weights for one in examples]),
            np.stack(kinds) if kinds else None,
        )


def make_example(
    objective: Objective,
    ids: npt.NDArray[np.uint8],
    weights: npt.NDArray[np.float32] | None,
    rng: np.random.Generator,
    *,
    kinds: npt.NDArray[np.uint8] | None = None,
    mask_share: float = MASK_SHARE,
) -> Example:
    """An example of a window of token ids, (T,).

    Args:
        objective: What to learn.
        ids: Of the window.
        weights: Of its positions; None for 1. What is not A, C, G or T never counts.
        rng: Draws what is masked.
        kinds: Of its positions, where they are told apart.
        mask_share: Of the bases, those that mlm predicts.
    """
    counted = tokens.is_base(ids).astype(np.float32)
    if weights is not None:
        counted *= weights
    if objective == "clm":
        counted[0] = 0
    if objective != "mlm":
        return Example(ids, ids, counted, kinds)
    chosen = rng.random(len(ids)) < mask_share
    inputs = np.where(chosen & tokens.is_base(ids), _corrupted(ids, rng), ids)
    return Example(inputs, ids, counted * chosen, kinds)


def _corrupted(ids: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    fate = rng.random(len(ids))
    other = rng.integers(tokens.A, tokens.T + 1, len(ids), dtype=np.uint8)
    kept = np.where(fate < _MASKED + _RANDOM, other, ids)
    return np.where(fate < _MASKED, np.uint8(tokens.MASK), kept)


def surprisal(logits: Tensor, labels: Tensor) -> Tensor:
    """-log p of each label, in nats, (B, T), of logits (B, T, vocabulary); in at least float32."""
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(exact.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)


def load_balancing_loss(routings: Sequence[Routing]) -> Tensor:
    """E * sum of f[k, e] P[e] over choices k and experts e; at least the experts a token visits.

    f[k, e] is the share of tokens whose k-th choice is expert e and P[e] the mean probability of e,
    over the tokens of all layers of one stream.

    Source: Fedus et al., arXiv 2101.03961, equation 4, summed over choices as in Jamba.
    """
    probabilities = torch.cat([routing.probabilities for routing in routings])
    choices = torch.cat([routing.choices for routing in routings])
    experts = probabilities.shape[-1]
    counts = probabilities.new_zeros(experts)
    counts.index_add_(0, choices.flatten(), counts.new_ones(1).expand(choices.numel()))
    return experts / len(choices) * (counts * probabilities.mean(dim=0)).sum()


def router_loss(prediction: Prediction, coefficient: float) -> Tensor:
    """The load-balancing losses of the two streams, times `coefficient`."""
    losses = [load_balancing_loss(routings) for routings in prediction.routings if routings]
    return coefficient * torch.stack(losses).sum() if losses else prediction.logits.new_zeros(())


def autocast(network: nn.Module, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """What a network's products are computed in: its weights' own dtype, or another by autocast."""
    weight = next(network.parameters())
    return nullcontext() if dtype == weight.dtype else torch.autocast(weight.device.type, dtype)
