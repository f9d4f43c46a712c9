"""Which parameter decays, and which one Muon moves: the network's, written out, and what is added to it."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from janusdna.muon import Muon
from janusdna.nn.model import JanusDNA
from janusdna.nn.readout import Readout
from janusdna.parameter_groups import optimisers, roles
from janusdna.recipe import Recipe

SCALE = r"""
    (forward|backward)_stream\.layers\.\d+\.(
        (mixer_norm|feed_forward_norm)\.weight |
        mixer\.(A_log | D | conv\.bias | dt_proj\.bias | (dt|B|C)_norm\.weight)
    ) |
    fusion\.(attention|feed_forward)_norm\.weight | final_norm\.weight | final_mlp\.[02]\.bias
"""
ROWS = r"""
    embedding\.weight | head\.weight |
    (forward|backward)_stream\.layers\.\d+\.(feed_forward\.router\.weight | mixer\.(conv|dt_proj)\.weight)
"""
MATRIX = r"""
    (forward|backward)_stream\.layers\.\d+\.(
        mixer\.projections\.((in|out|[qkvo])_proj)\.weight | mixer\.x_proj\.weight |
        feed_forward\.(gate_up|down)_proj(\.weight)?
    ) |
    fusion\.attention\.[qkvo]_proj\.weight | fusion\.feed_forward\.(gate_up|down)_proj\.weight |
    final_mlp\.[02]\.weight
"""


class Tuned(nn.Module):
    """A network with heads of other names than any of its own."""

    def __init__(self, network: JanusDNA) -> None:
        super().__init__()
        self.network = network
        self.before = nn.LayerNorm(16)
        self.hidden = nn.Linear(16, 8)
        self.classes = Readout(8, 3)
        self.query = nn.Parameter(torch.zeros(16))


def names(network: nn.Module, role: str) -> set[str]:
    found = roles(network)
    return {name for name, parameter in network.named_parameters() if found[parameter] == role}


def test_what_every_parameter_of_the_network_is(make_network: Callable[..., JanusDNA]) -> None:
    network = make_network()
    everything = {name for name, _ in network.named_parameters()}
    for role, pattern in (("scale", SCALE), ("rows", ROWS), ("matrix", MATRIX)):
        expected = {name for name in everything if re.fullmatch(pattern, name, re.VERBOSE)}
        assert names(network, role) == expected
        everything -= expected
    assert everything == set()


def test_what_is_added_is_told_by_what_it_is(make_network: Callable[..., JanusDNA]) -> None:
    network = Tuned(make_network())
    assert {name for name in names(network, "scale") if not name.startswith("network.")} == {
        *("before.weight", "before.bias", "hidden.bias", "classes.bias", "query")
    }
    assert "classes.weight" in names(network, "rows")
    assert "hidden.weight" in names(network, "matrix")
    own = names(network.network, "matrix")
    assert {name for name in names(network, "matrix") if name != "hidden.weight"} == {
        f"network.{name}" for name in own
    }


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_each_trained_parameter_is_moved_once(make_network: Callable[..., JanusDNA], optimizer: str) -> None:
    network = Tuned(make_network())
    trained = {name: p for name, p in network.named_parameters() if "backward" not in name}
    found = roles(network)
    made = optimisers(network, trained, Recipe(optimizer=optimizer, weight_decay=0.3))
    moved = [
        (type(one), group["weight_decay"], p)
        for one in made
        for group in one.param_groups
        for p in group["params"]
    ]
    assert len(moved) == len(trained)
    assert {id(p) for *_, p in moved} == {id(p) for p in trained.values()}
    for kind, decay, parameter in moved:
        assert decay == (0.0 if found[parameter] == "scale" else 0.3)
        assert (kind is Muon) == (optimizer == "muon" and found[parameter] == "matrix")
