"""The networks that JanusDNA is put beside are what they are said to be; what cannot be read gets a row."""

import json
import sys
from argparse import Namespace

import pytest
import torch

import janusdna

SETTINGS = """
class JanusDNAConfig:
    def __init__(self, **settings):
        self.__dict__.update(settings)
"""
MODELLING = """
import torch
from .configuration_janusdna import JanusDNAConfig

class JanusDNAForCausalLM(torch.nn.Module):
    def __init__(self, settings: JanusDNAConfig):
        super().__init__()
        assert not settings.use_mamba_kernels
        self.embedding = torch.nn.Embedding(settings.vocab_size, settings.hidden_size)

    def forward(self, ids):
        return self.embedding(ids)
"""


@pytest.fixture
def networks(module):
    return module("peer_networks")


@pytest.fixture
def peers(module):
    return module("peers")


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_networks_are_as_large_as_the_published_ones(networks):
    unused = 2050 * 512 + 12 * 16 + 1  # learned positions and a head for contacts, in the published file
    with torch.device("meta"):
        assert parameters(networks.HyenaDNA(128, 2, 1026)) == 438_144  # tiny-1k
        assert parameters(networks.HyenaDNA(256, 8, 160_002)) == 6_554_624  # medium-160k
        assert parameters(networks.NucleotideTransformer()) == 55_904_972 - unused


def test_six_bases_are_a_token_and_what_is_left_one_each(networks):
    digits, letters = "ATCG", "ACGT"

    def token(kmer):
        return 6 + int("".join(str(digits.index(base)) for base in kmer), 4)

    def encoded(sequence):
        return networks.six_mers(torch.tensor([[letters.index(base) for base in sequence]]))[0].tolist()

    assert encoded("ACGTGTTTACCAGT") == [3, token("ACGTGT"), token("TTACCA"), 4105, 4103]
    assert encoded("AC") == [3, 4102, 4104]
    assert encoded("GGGGGG") == [3, 4101]


def test_the_long_convolution_is_a_sum_over_what_came_before(networks, monkeypatch):
    torch.manual_seed(0)
    convolution = networks.LongConvolution(3, 9)
    filters, x = convolution.filters(), torch.randn(1, 3, 7)
    monkeypatch.setattr(networks.LongConvolution, "filters", lambda self: filters)
    expected = torch.stack(
        [sum(filters[:, s] * x[0, :, t - s] for s in range(t + 1)) for t in range(7)], dim=-1
    )
    expected = expected + convolution.skip[:, None] * x[0]
    torch.testing.assert_close(convolution(x)[0], expected)
    monkeypatch.delattr(networks.LongConvolution, "filters")
    torch.testing.assert_close(convolution(x)[0], expected)  # the filters are made once


def test_hyenadna_sees_what_is_left_and_two_directions_see_both_sides(networks):
    torch.manual_seed(0)
    stacks = (torch.nn.Conv1d(12, 12, 12, padding=11) for _ in range(2))

    class Causal(torch.nn.Module):
        def __init__(self, convolution):
            super().__init__()
            self.convolution = convolution

        def forward(self, x):
            return self.convolution(x.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)

    one = torch.randint(7, 11, (1, 12))
    other = one.clone()
    other[0, 5] = 7 + (one[0, 5] - 6) % 4
    for network, first in (
        (networks.HyenaDNA(8, 2, 12), 5),
        (networks.TwoDirections(12, *map(Causal, stacks)), 0),
    ):
        changed = (network(one) - network(other)).abs().amax(-1)[0] > 1e-6
        assert changed.nonzero()[0].item() == first
        assert changed[-1]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("janusdna-72-one", 1),
        ("janusdna-72-all", 20),
        ("mambapy-72", 20),
        ("hyena-72", 20),
        ("nucleotide-transformer-50m", 6),
    ],
)
def test_a_network_reads_bases(networks, name, rows):
    if name.startswith("mambapy"):
        pytest.importorskip("mambapy")
    found = networks.NETWORKS[name](20, None)(torch.randint(0, 4, (1, 20)))
    logits = found if isinstance(found, torch.Tensor) else found.logits
    assert logits.isfinite().all()
    assert logits.shape[1] == rows


def test_the_reference_is_loaded_beside_a_package_of_its_name(networks, tmp_path):
    (tmp_path / "janusdna").mkdir()
    (tmp_path / "janusdna" / "configuration_janusdna.py").write_text(SETTINGS)
    (tmp_path / "janusdna" / "modeling_janusdna.py").write_text(MODELLING)
    try:
        read = networks.NETWORKS["reference-72"](20, tmp_path)
        assert read(torch.zeros(1, 20, dtype=torch.long)).shape == (1, 20, 72)
        assert sys.modules["janusdna"] is janusdna
    finally:
        for name in [name for name in sys.modules if name.startswith("reference_janusdna")]:
            del sys.modules[name]


def test_what_is_missing_is_named(networks, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mambapy", None)
    with pytest.raises(ImportError, match="pip install mambapy"):
        networks.NETWORKS["mambapy-72"](20, None)
    with pytest.raises(ImportError, match="needs --reference"):
        networks.NETWORKS["reference-72"](20, None)
    with pytest.raises(ImportError, match=rf"{tmp_path} holds no janusdna/modeling_janusdna.py"):
        networks.NETWORKS["reference-144"](20, tmp_path)


def test_what_a_window_takes_is_told_by_two_shorter_ones(peers):
    def work(window):
        return 3 * window + 0.5 * window**2

    twice = [work(10), work(40)]
    assert peers.extrapolate([10, 40], twice, 1000, square=True) == pytest.approx(work(1000))
    assert peers.extrapolate([10, 40], twice, 1000, square=False) == pytest.approx(work(40) * 25)
    assert peers.extrapolate([10], [7], 1000, square=True) == pytest.approx(700)
    assert peers.extrapolate([10, 40], [100, 80], 1000, square=True) == pytest.approx(2000)


def test_a_window_that_takes_too_much_is_not_read(peers, monkeypatch):
    monkeypatch.setattr(peers, "free_memory", lambda device: 10e9)
    before = [{"network": "hyena-72", "window": 100, "seconds": 2.0, "growth, MB": 500.0}]
    assert peers.too_much("hyena-72", 1000, before, 30) == ""
    assert peers.too_much("hyena-72", 2000, before, 30) == "would take 40 s"
    assert peers.too_much("hyena-72", 2000, before, 60) == "would need 10 GB"
    assert peers.too_much("hyena-144", 2000, before, 1) == ""


def test_a_process_that_dies_is_a_note(peers, monkeypatch, capsys):
    def dies(command):
        raise SystemExit("failed: that command")

    monkeypatch.setattr(peers, "run_child", dies)
    options = Namespace(only=["hyena-72"], longest=1, reference=None, runs=2)
    (row,) = peers.take_turns(64, [], options)
    assert row["seconds"] is None
    assert "was ended" in row["note"]
    assert capsys.readouterr().err.count("that command") == 1


def test_growth_is_told_of_what_was_read_at_several_windows(peers):
    def row(name, window, seconds):
        return {"network": name, "window": window, "seconds": seconds}

    rows = [row("a", 10, 1.0), row("b", 10, 1.0), row("a", 100, 10.0), row("a", 1000, 1000.0)]
    (found,) = peers.growth([*rows, row("b", 100, None)])
    assert found == {
        "network": "a", "from": 10, "to": 1000,
        "exponent": pytest.approx(1.5), "between the last two": pytest.approx(2),
    }  # fmt: skip


def test_an_answer_of_one_process_is_enough(peers):
    failed, slow, fast = {"note": "ended"}, {"note": "", "seconds": 2.0}, {"note": "", "seconds": 1.0}
    assert peers.faster(slow, failed) == slow
    assert peers.faster({"note": ""}, failed) == failed
    assert peers.faster(slow, fast) == peers.faster(fast, slow) == fast


def test_peers_take_turns_and_get_a_row_each(run, tmp_path):
    asked = ("--only", "janusdna-72-one", "hyena-72", "reference-72", "--runs", 1)
    printed = run("peers", 64, *asked, "--json", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [(row["network"], row["window"]) for row in rows] == [
        ("janusdna-72-one", 64), ("hyena-72", 64), ("reference-72", 64),
    ]  # fmt: skip
    assert rows[1]["against one target"] == rows[1]["seconds"] / rows[0]["seconds"]
    assert rows[1]["against all positions"] is None
    assert rows[1]["peak, MB"] > 0
    assert rows[2]["seconds"] is None
    assert "needs --reference" in rows[2]["note"]
    assert "| network" in printed
