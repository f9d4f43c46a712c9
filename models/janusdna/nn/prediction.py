"""What a network says: to a training of a batch, to a reader of some positions."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from janusdna.nn.feed_forward import Routing

__all__ = ["NO_ROUTINGS", "Prediction", "Reading", "Routings"]

Routings = tuple[list[Routing], list[Routing]]
NO_ROUTINGS: Routings = ([], [])


class Prediction(NamedTuple):
    """What the network says of a batch.

    Attributes:
        hidden: (B, n, d), after the last norm and MLP: what the head reads.
        logits: (B, n, vocabulary).
        routings: For each stream, the routing of its layers with experts; empty where the sequences were
            walked in chunks, as they are without a gradient.
    """

    hidden: Tensor
    logits: Tensor
    routings: Routings


class Reading(NamedTuple):
    """What a model says of some positions; B sequences, n targets each.

    Attributes:
        hidden: (B, n, d), after the last norm and MLP: what the head reads. Where a layer of the streams was
            asked for, its states: (B, n, d), or (B, n, 2d) of both streams.
        logits: (B, n, vocabulary); (B, n, 0) where a layer was asked for, which predicts nothing.
        edits: Of each edit of these sequences, in their order, its m positions: `hidden` is (m, d) and
            `logits` (m, vocabulary).
    """

    hidden: Tensor
    logits: Tensor
    edits: tuple[Reading, ...] = ()
