"""One of the two streams: layers of mixer and feed-forward, walked from one end of the sequence."""

from __future__ import annotations

from torch import Tensor, nn

from janusdna.nn.feed_forward import MixtureOfExperts, Routing, SwiGLU
from janusdna.nn.norm import RMSNorm

__all__ = ["Stream", "StreamLayer"]


class StreamLayer(nn.Module):
    """h = h + mixer(norm(h)); h = h + feed_forward(norm(h))."""

    def __init__(
        self, mixer: nn.Module, feed_forward: SwiGLU | MixtureOfExperts, *, hidden_size: int, eps: float
    ) -> None:
        super().__init__()
        self.mixer_norm = RMSNorm(hidden_size, eps=eps)
        self.mixer = mixer
        self.feed_forward_norm = RMSNorm(hidden_size, eps=eps)
        self.feed_forward = feed_forward

    def forward(self, h: Tensor) -> tuple[Tensor, Routing | None]:
        """(B, T, d) in and out, and the routing where the layer has experts."""
        h = h + self.mixer(self.mixer_norm(h))
        out = self.feed_forward(self.feed_forward_norm(h))
        if isinstance(out, tuple):
            return h + out[0], out[1]
        return h + out, None


class Stream(nn.Module):
    """The layers of one direction; no layer looks at the other stream."""

    def __init__(self, layers: list[StreamLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, h: Tensor) -> tuple[Tensor, list[Routing]]:
        """(B, T, d) in sequence order, in and out, and the routing of every layer that has experts."""
        routings = []
        for layer in self.layers:
            h, routing = layer(h)
            if routing is not None:
                routings.append(routing)
        return h, routings
