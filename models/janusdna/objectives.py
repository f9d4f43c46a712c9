"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from janusdna import tokens
from janusdna.nn.feed_forward import Routing
from janusdna.nn.model import Prediction

__all__ = ["load_balancing_loss", "prediction_loss", "router_loss"]


def prediction_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Mean cross-entropy, in nats, of (B, T, vocabulary) against (B, T); [PAD] does not count."""
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(exact.flatten(0, 1), ids.flatten(), ignore_index=tokens.PAD)


def load_balancing_loss(routings: list[Routing]) -> Tensor:
    """E * sum of f[k, e] P[e] over choices k and experts e; at least the experts a token visits.

    f[k, e] is the share of tokens whose k-th choice is expert e and P[e] the mean probability of e,
    over the tokens of all layers of one stream.

    Source: Fedus et al., arXiv 2101.03961, equation 4, summed over choices as in Jamba.
    """
    probabilities = torch.cat([routing.probabilities for routing in routings])
    choices = torch.cat([routing.choices for routing in routings])
    experts = probabilities.shape[-1]
    share = functional.one_hot(choices, experts).to(probabilities.dtype).mean(dim=0)
    return experts * (share * probabilities.mean(dim=0)).sum()


def router_loss(prediction: Prediction, coefficient: float) -> Tensor:
    """The load-balancing losses of the two streams, times `coefficient`."""
    losses = [load_balancing_loss(routings) for routings in prediction.routings if routings]
    return coefficient * torch.stack(losses).sum() if losses else prediction.logits.new_zeros(())
