"""One of the two streams: layers of mixer and feed-forward, walked from one end of the sequence.

All layers of a stream are causal in its own direction, so a sequence can be walked in chunks, all
layers for one chunk, with nothing kept of a chunk but each layer's state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from janusdna.nn.attention import CausalSelfAttention
from janusdna.nn.feed_forward import MixtureOfExperts, Routing, SwiGLU
from janusdna.nn.mamba import MambaMixer
from janusdna.nn.norm import RMSNorm
from janusdna.ops.backends import Kernels
from janusdna.ops.reference import accumulation_dtype

__all__ = ["Chunk", "LayerStates", "Stream", "StreamLayer"]

Mixer = MambaMixer | CausalSelfAttention
# A MambaState or an AttentionState for each layer.
LayerStates = list[Any]


class Chunk(NamedTuple):
    """Some rows of a stream after the last layer walked.

    Attributes:
        start: First row, 0-based in sequence order.
        rows: (B, t, d), in sequence order.
        routings: Of each layer with experts, for the loss; none where the sequence is walked in several
            chunks, whose memory they would dwarf.
    """

    start: int
    rows: Tensor
    routings: list[Routing]


class StreamLayer(nn.Module):
    """h = h + mixer(norm(h)); h = h + feed_forward(norm(h))."""

    def __init__(
        self,
        mixer: Mixer,
        feed_forward: SwiGLU | MixtureOfExperts,
        *,
        hidden_size: int,
        eps: float,
        kernels: Kernels,
    ) -> None:
        super().__init__()
        self.mixer_norm = RMSNorm(hidden_size, eps=eps, kernels=kernels)
        self.mixer = mixer
        self.feed_forward_norm = RMSNorm(hidden_size, eps=eps, kernels=kernels)
        self.feed_forward = feed_forward

    def forward(self, h: Tensor, state: Any = None) -> tuple[Tensor, Routing | None]:
        """(B, t, d) in and out, and the routing where the layer has experts; `state` is the mixer's."""
        h = self.mixer.add(h, self.mixer_norm, state)
        return self.feed_forward.add(h, self.feed_forward_norm)


class Stream(nn.Module):
    """The layers of one direction; no layer looks at the other stream.

    Attributes:
        recompute: Whether what a layer needs for its gradient is computed again on the way back instead of
            kept: up to half as much time again for a third of the memory.
    """

    def __init__(self, layers: list[StreamLayer], *, reverse: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self._mixers = [layer.mixer for layer in layers]
        self.reverse = reverse
        self.recompute = False

    def walk(
        self,
        embedding: nn.Embedding,
        ids: Tensor,
        cuts: Sequence[int],
        *,
        depth: int | None = None,
        states: LayerStates | None = None,
        kept: dict[int, LayerStates] | None = None,
    ) -> Iterator[Chunk]:
        """Walk sequences from this stream's end of them.

        Args:
            embedding: Of the tokens.
            ids: (B, T).
            cuts: Where a chunk ends and the next begins, ascending within 0 to T; none makes one chunk,
                which can be trained through.
            depth: Layers to go through, the first ones; None for all.
            states: What the walk goes on from; None for a sequence's beginning.
            kept: Receives the states at the cuts, and at the end where the walk begins.

        Yields:
            Chunks that cover all rows, the last of the sequence first in a reverse stream.
        """
        bounds = [0, *cuts, ids.shape[1]]
        spans = list(pairwise(bounds))
        carried = states
        if self.reverse:
            spans.reverse()
        for start, end in spans:
            h = embedding(ids[:, start:end])
            h = h.to(accumulation_dtype(h.dtype))
            if carried is None and (cuts or kept is not None):
                carried = [mixer.begin(h, ids.shape[1]) for mixer in self._mixers[:depth]]
            if kept is not None and carried is not None:
                kept[end if self.reverse else start] = [state.keep() for state in carried]
            yield Chunk(start, *self._through_layers(h, carried, depth))

    def gather(self, kept: Sequence[tuple[LayerStates, int]], length: int) -> LayerStates:
        """States of a batch that goes on, for `length` rows, from rows of kept batches."""
        return [
            type(first).gather([(states[layer], row) for states, row in kept], length)
            for layer, first in enumerate(kept[0][0])
        ]

    def _through_layers(
        self, h: Tensor, states: LayerStates | None, depth: int | None
    ) -> tuple[Tensor, list[Routing]]:
        routings = []
        for i, layer in enumerate(islice(self.layers, depth)):
            if self.recompute and torch.is_grad_enabled():
                h, routing = checkpoint(layer, h, use_reentrant=False, preserve_rng_state=False)
            else:
                h, routing = layer(h, None if states is None else states[i])
            if routing is not None and states is None:
                routings.append(routing)
        return h, routings
