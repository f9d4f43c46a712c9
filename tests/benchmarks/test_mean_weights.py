"""The mean of models' weights."""

import dataclasses

import pytest
import torch

from janusdna import preset
from janusdna.checkpoint import Checkpoint, read_native, save
from janusdna.nn.model import JanusDNA

SMALL = dataclasses.replace(preset("janusdna-32"), num_layers=2, expert_layers=(1,), num_experts=4)


def checkpoint(name, seed, config=SMALL):
    torch.manual_seed(seed)
    tensors = {key: torch.randn_like(tensor) for key, tensor in JanusDNA(config).state_dict().items()}
    return Checkpoint(name, config, tensors, "")


def test_every_weight_is_the_mean(run, tmp_path):
    models = [checkpoint(name, seed) for seed, name in enumerate("ab")]
    digests = [save(model, tmp_path / model.name) for model in models]
    said = run("mean_weights", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "mean")
    mean = read_native(tmp_path / "mean")
    assert mean.sha256 in said
    assert mean.provenance["mean_of"] == digests
    for key, found in mean.tensors.items():
        torch.testing.assert_close(found, (models[0].tensors[key] + models[1].tensors[key]) / 2)


def test_other_sizes_are_refused(module):
    larger = dataclasses.replace(SMALL, num_experts=8)
    with pytest.raises(ValueError, match="b has other sizes than a"):
        module("mean_weights").mean_of([checkpoint("a", 0), checkpoint("b", 1, larger)])
