"""Weights of small networks for tests: rounding stays small in them and changes no choice of experts.

float32 is far from float64 for two reasons that say nothing about a kernel: a norm divides by something
close to zero (with one step size a token, at d = 16, it is a step function), or two experts are nearly
tied. Which of the two a processor hits depends on how it rounds.
"""

import torch
from torch import Tensor

from janusdna.nn.feed_forward import MixtureOfExperts, SwiGLU
from janusdna.nn.model import JanusDNA

# The smallest width of four heads with two step sizes to norm.
WIDTH = 20
_SPREAD, _SPREAD_OF_TAPS = 0.1, 0.5
# Channels of the residual stream that hold a token's own base, which no layer writes to.
_OWN = 4


@torch.no_grad()
def draw_weights(network: JanusDNA, seed: int) -> None:
    """Weights large enough for each base to matter; biases stay 0, norms 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1 and not name.endswith("A_log"):
            spread = _SPREAD_OF_TAPS if ".conv." in name else _SPREAD
            parameter.normal_(std=spread, generator=generator)
    _route_by_base(network, generator)


def _route_by_base(network: JanusDNA, generator: torch.Generator) -> None:
    """Which experts are best follows from a token's base; how good they are, from all that it has seen."""
    tokens = torch.arange(len(network.embedding.weight))
    network.embedding.weight[:, :_OWN] = 2 * torch.eye(_OWN)[tokens % _OWN]
    for stream in (network.forward_stream, network.backward_stream):
        for layer in stream.layers:
            for written in _writing(layer):
                written[..., :_OWN, :] = 0
            if isinstance(layer.feed_forward, MixtureOfExperts):
                router = layer.feed_forward.router.weight
                router *= 0.1
                ranks = torch.rand(len(router), _OWN, generator=generator).argsort(dim=0)
                router[:, :_OWN] = 0.5 * ranks


def _writing(layer: torch.nn.Module) -> tuple[Tensor, Tensor]:
    """The matrices whose rows are added to the residual stream."""
    projections, feed_forward = layer.mixer.projections, layer.feed_forward
    mixer = projections.out_proj if hasattr(projections, "out_proj") else projections.o_proj
    down = feed_forward.down_proj
    return mixer.weight, down.weight if isinstance(feed_forward, SwiGLU) else down
