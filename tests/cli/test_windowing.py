"""Batches of windows: memory that runs out, order, both strands."""

import numpy as np
import pytest
import torch

from janusdna import load
from janusdna_cli.windowing import BOTH_STRANDS, FORWARD, REVERSE, Request, WindowReader


class Cramped:
    """A model that holds only so many bases at once."""

    def __init__(self, model, most):
        self.model, self.most, self.sizes = model, most, []

    def __getattr__(self, name):
        return getattr(self.model, name)

    def read(self, ids, targets):
        if ids.numel() > self.most:
            raise torch.OutOfMemoryError("no room")
        self.sizes.append(ids.numel())
        return self.model.read(ids, targets)


@pytest.fixture
def requests():
    rng = np.random.default_rng(0)
    return [
        Request(
            rng.integers(7, 11, 20 if i % 3 else 30).astype(np.uint8),
            np.sort(rng.choice(20, 1 + i % 4, replace=False)),
            (BOTH_STRANDS, FORWARD, REVERSE)[i % 3],
        )
        for i in range(16)
    ]


@pytest.fixture
def model(model_dir):
    return load(model_dir, device="cpu")


def test_batches_shrink_until_they_fit(model, requests, caplog):
    whole = WindowReader(model, batch_bp=10_000).read(requests)
    cramped = Cramped(model, 170)
    reader = WindowReader(cramped, batch_bp=340)
    halved = reader.read(requests)
    for one, two in zip(whole, halved, strict=True):
        np.testing.assert_allclose(one.logp, two.logp, atol=1e-5)
        np.testing.assert_allclose(one.hidden, two.hidden, atol=1e-5)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "out of memory" in caplog.text
    assert sum(cramped.sizes) == reader.bases == sum(len(r.ids) * len(r.strands) for r in requests)
    assert reader.windows == sum(len(r.strands) for r in requests)


def test_a_window_that_does_not_fit_alone_is_an_error(model, requests):
    with pytest.raises(MemoryError, match="30 bases does not fit"):
        WindowReader(Cramped(model, 10), batch_bp=10_000).read(requests)


def test_shapes_and_nothing_to_read(model, requests):
    reader = WindowReader(model)
    assert reader.read([]) == []
    for request, reading in zip(requests, reader.read(requests), strict=True):
        assert reading.logp.shape == (len(request.strands), len(request.targets), 4)
        assert reading.hidden.shape == (len(request.targets), 16)
        np.testing.assert_allclose(np.exp(reading.logp).sum(-1), 1, atol=1e-5)
