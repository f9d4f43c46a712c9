"""Which states of a network are read, by name: the fused ones, or a layer of one stream or of both."""

from __future__ import annotations

import re
from dataclasses import dataclass

from janusdna.errors import LayerError

__all__ = ["FUSED", "LAYER_NAMES", "Layer", "is_layer", "layer_named"]

# What `layer_named` takes, in words.
LAYER_NAMES = "fused, forward:K, backward:K or K, K from 0, the embedding of the bases, to the last layer"

_NAME = re.compile(r"(?:(forward|backward):)?(0|[1-9][0-9]{0,3})")


@dataclass(frozen=True)
class Layer:
    """Some states of a network.

    Attributes:
        name: As its user writes it.
        streams: "forward", "backward" or both, whose states stand side by side; none for the fused ones.
        depth: Layers of a stream that are walked; 0 is the embedding of the bases.
    """

    name: str
    streams: tuple[str, ...] = ()
    depth: int = 0

    def width(self, hidden_size: int) -> int:
        """Values of a state, in a network of that hidden size."""
        return hidden_size * max(1, len(self.streams))

    def check(self, num_layers: int) -> None:
        """Whether a network of so many layers has it.

        Raises:
            LayerError: If it has not.
        """
        if self.depth > num_layers:
            raise LayerError(f"layer is {self.name!r}: this model's streams have layers 0 to {num_layers}")


FUSED = Layer("fused")


def layer_named(name: str) -> Layer:
    """`fused`, `forward:K`, `backward:K`, or `K` for both streams side by side.

    Raises:
        LayerError: If it is none of these.
    """
    if name == FUSED.name:
        return FUSED
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise LayerError(f"layer is {name!r}: expected {LAYER_NAMES}")
    streams = (match[1],) if match[1] else ("forward", "backward")
    return Layer(name, streams, int(match[2]))


def is_layer(name: object) -> bool:
    """Whether `layer_named` takes it."""
    try:
        return isinstance(name, str) and bool(layer_named(name))
    except LayerError:
        return False
