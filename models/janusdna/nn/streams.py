"""Both streams of a network over one embedding: side by side, and in chunks of what fits the caches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from janusdna.nn.stream import Stream
from janusdna.ops.cpu.threads import side_by_side

__all__ = ["Streams"]

_MIN_CHUNK = 64

Result = TypeVar("Result")


@dataclass(frozen=True)
class Streams:
    """The two directions that sequences are walked in.

    Attributes:
        embedding: Of the tokens.
        forward, backward: The streams.
        chunk_values: Values of the residual stream that walk together without a gradient; None for whole
            sequences.
    """

    embedding: nn.Embedding
    forward: Stream
    backward: Stream
    chunk_values: int | None

    def both(self, read: Callable[[Stream], Result]) -> tuple[Result, Result]:
        """What `read` makes of the forward stream, and of the backward one; side by side where that pays."""
        if torch.is_inference_mode_enabled() and self.embedding.weight.device.type == "cpu":
            forward, backward = side_by_side(partial(read, self.forward), partial(read, self.backward))
            return forward, backward
        return read(self.forward), read(self.backward)

    def chunk(self, ids: Tensor) -> int:
        """Rows that walk together: whole sequences where a gradient has to come back through them."""
        batch, length = ids.shape
        if self.chunk_values is None or torch.is_grad_enabled():
            return max(1, length)
        return max(_MIN_CHUNK, self.chunk_values // (batch * self.embedding.embedding_dim))
