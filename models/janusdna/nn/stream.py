"""One of the two streams: layers of mixer and feed-forward, walked from one end of the sequence.

All layers of a stream are causal in its own direction, so a sequence can be walked in chunks, all
layers for one chunk, with nothing kept of a chunk but each layer's state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

from janusdna.nn.attention import CausalSelfAttention
from janusdna.nn.feed_forward import MixtureOfExperts, Routing, SwiGLU
from janusdna.nn.mamba import MambaMixer
from janusdna.nn.norm import RMSNorm

__all__ = ["Chunk", "Stream", "StreamLayer"]

Mixer = MambaMixer | CausalSelfAttention


class Chunk(NamedTuple):
    """Some rows of a stream after its last layer.

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
        self, mixer: Mixer, feed_forward: SwiGLU | MixtureOfExperts, *, hidden_size: int, eps: float
    ) -> None:
        super().__init__()
        self.mixer_norm = RMSNorm(hidden_size, eps=eps)
        self.mixer = mixer
        self.feed_forward_norm = RMSNorm(hidden_size, eps=eps)
        self.feed_forward = feed_forward

    def forward(self, h: Tensor, state: object | None = None) -> tuple[Tensor, Routing | None]:
        """(B, t, d) in and out, and the routing where the layer has experts; `state` is the mixer's."""
        h = h + self.mixer(self.mixer_norm(h), state)
        out = self.feed_forward(self.feed_forward_norm(h))
        if isinstance(out, tuple):
            return h + out[0], out[1]
        return h + out, None


class Stream(nn.Module):
    """The layers of one direction; no layer looks at the other stream."""

    def __init__(self, layers: list[StreamLayer], *, reverse: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self._mixers = [layer.mixer for layer in layers]
        self.reverse = reverse

    def walk(self, embedding: nn.Embedding, ids: Tensor, chunk: int) -> Iterator[Chunk]:
        """Walk sequences from this stream's end of them.

        Args:
            embedding: Of the tokens.
            ids: (B, T).
            chunk: Rows to take together; T or more gives one chunk, which can be trained through.

        Yields:
            Chunks that cover all rows, the last of the sequence first in a reverse stream.
        """
        length = ids.shape[1]
        starts = range(0, length, chunk)
        states: list[object] | None = None
        for start in reversed(starts) if self.reverse else starts:
            h = embedding(ids[:, start : start + chunk])
            if chunk < length and states is None:
                states = [mixer.begin(h, length) for mixer in self._mixers]
            yield Chunk(start, *self._through_layers(h, states))

    def _through_layers(self, h: Tensor, states: list[object] | None) -> tuple[Tensor, list[Routing]]:
        routings = []
        for i, layer in enumerate(self.layers):
            h, routing = layer(h, None if states is None else states[i])
            if routing is not None and states is None:
                routings.append(routing)
        return h, routings
