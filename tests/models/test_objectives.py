"""The losses against their definitions, written out."""

import pytest
import torch

from janusdna import objectives
from janusdna.nn.feed_forward import Routing


def test_pad_does_not_count() -> None:
    logits, ids = torch.randn(1, 4, 16), torch.tensor([[7, 4, 9, 4]])
    counted = [-logits[0, t].log_softmax(-1)[ids[0, t]].item() for t in (0, 2)]
    assert objectives.prediction_loss(logits, ids).item() == pytest.approx(sum(counted) / 2)


def test_load_balancing_by_hand() -> None:
    routings = []
    for tokens in (5, 5):
        probabilities = torch.rand(tokens, 3).softmax(-1)
        routings.append(Routing(probabilities, probabilities.topk(2).indices))
    everything = torch.cat([r.probabilities for r in routings])
    choices = torch.cat([r.choices for r in routings])
    expected = 0.0
    for k in range(2):
        for e in range(3):
            share = (choices[:, k] == e).sum().item() / 10
            expected += 3 * share * everything[:, e].mean().item()
    assert objectives.load_balancing_loss(routings).item() == pytest.approx(expected)
