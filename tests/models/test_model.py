"""The network: nothing about x_t at t, chunks, targets, batches, sizes."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from janusdna import PRESETS, SequenceError, objectives
from janusdna.nn.feed_forward import MixtureOfExperts
from janusdna.nn.model import JanusDNA
from janusdna.ops.backends import Kernels
from janusdna.reader import load

from ..closeness import assert_as_close
from ..networks import WIDTH

Make = Callable[..., JanusDNA]
Draw = Callable[[int, int], Tensor]


@pytest.fixture(params=[(2,), ()], ids=["midattn", "nomidattn"])
def attention_layers(request: pytest.FixtureRequest) -> tuple[int, ...]:
    return request.param


@torch.inference_mode()
def _leak(network: JanusDNA, ids: Tensor) -> tuple[float, float]:
    """Largest change of the logits at t, and elsewhere, when x_t changes, over every position and base."""
    length = ids.shape[1]
    plain = network(ids).logits[0]
    own, others = 0.0, 0.0
    for t in range(length):
        changed = ids.repeat(4, 1)
        changed[:, t] = torch.arange(7, 11)
        difference = (network(changed).logits - plain).abs().amax(dim=(0, 2))
        own = max(own, difference[t].item())
        difference[t] = 0
        others = max(others, difference.max().item())
    return own, others


@pytest.mark.parametrize("length", [3, 4, 37])
def test_logits_at_t_do_not_see_x_t_float64(
    make_network: Make, random_ids: Draw, attention_layers: tuple[int, ...], length: int
) -> None:
    network = make_network(attention_layers=attention_layers).cast(torch.float64)
    own, others = _leak(network, random_ids(1, length))
    assert own <= 1e-12
    assert others > 1e-3


def test_logits_at_t_do_not_see_x_t_float32(
    make_network: Make, random_ids: Draw, cpu_kernels: Kernels, attention_layers: tuple[int, ...]
) -> None:
    own, others = _leak(make_network(cpu_kernels, attention_layers=attention_layers), random_ids(1, 70))
    assert own <= 1e-5
    assert others > 1e-3


@pytest.mark.parametrize("case", ["midattn-mlp", "nomidattn-nomlp"])
def test_golden_weights_do_not_leak(golden: Callable[[str], Path], random_ids: Draw, case: str) -> None:
    exact = load(golden(case), device="cpu", dtype="float64").module
    assert _leak(exact, random_ids(1, 20))[0] <= 1e-12


def _logits_in_chunks(network: JanusDNA, ids: Tensor, chunk: int | None) -> Tensor:
    """Of every position and, behind, of some read alone."""
    values = None if chunk is None else chunk * 2 * WIDTH
    network.kernels = dataclasses.replace(network.kernels, chunk_values=values)
    targets = torch.tensor([[0, 63, 64, 300], [1, 150, 128, 299]])
    with torch.no_grad():
        return torch.cat((network(ids).logits, network(ids, targets).logits), dim=1)


@pytest.mark.parametrize("chunk", [1, 64, 100, 1000])
def test_chunks_do_not_change_anything(
    make_network: Make,
    random_ids: Draw,
    cpu_kernels: Kernels,
    attention_layers: tuple[int, ...],
    chunk: int,
) -> None:
    ids = random_ids(2, 301)
    exact = make_network(attention_layers=attention_layers).cast(torch.float64)
    truth = _logits_in_chunks(exact, ids, None)
    assert (_logits_in_chunks(exact, ids, chunk) - truth).abs().max() <= 1e-12
    fast = make_network(cpu_kernels, attention_layers=attention_layers)
    in_chunks, whole = (_logits_in_chunks(fast, ids, size) for size in (chunk, None))
    assert_as_close(in_chunks, whole, truth, floor=1e-6)


@pytest.mark.parametrize("length", [3, 4, 30])
def test_targets_equal_all_positions(make_network: Make, random_ids: Draw, length: int) -> None:
    network, ids = make_network().cast(torch.float64), random_ids(2, length)
    targets = torch.stack([torch.randperm(length), torch.arange(length)])
    with torch.no_grad():
        everything = network(ids)
        few = [network(ids, targets[:, t : t + 1]) for t in range(length)]
        many = network(ids, targets)
    rows = torch.arange(2)[:, None]
    for name in ("logits", "hidden"):
        expected = getattr(everything, name)[rows, targets]
        assert (torch.cat([getattr(one, name) for one in few], dim=1) - expected).abs().max() <= 1e-12
        assert (getattr(many, name) - expected).abs().max() <= 1e-12


def test_gradients_through_targets(make_network: Make, random_ids: Draw) -> None:
    network, ids = make_network().cast(torch.float64), random_ids(1, 12)
    weight = torch.randn(1, 12, 16, dtype=torch.float64)
    (network(ids).logits * weight).sum().backward()
    full = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    prediction = network(ids.repeat(12, 1), torch.arange(12)[:, None])
    (prediction.logits[:, 0] * weight[0]).sum().backward()
    for name, parameter in network.named_parameters():
        if name in full:
            torch.testing.assert_close(parameter.grad, full[name], msg=name)


def test_results_do_not_depend_on_neighbours(
    make_network: Make, random_ids: Draw, cpu_kernels: Kernels
) -> None:
    network, ids = make_network(cpu_kernels), random_ids(9, 150)
    with torch.inference_mode():
        together = network(ids).logits
        alone = torch.cat([network(row[None]).logits for row in ids])
    assert (together - alone).abs().max() <= 1e-5


def test_bfloat16_stays_close(make_network: Make, random_ids: Draw, cpu_kernels: Kernels) -> None:
    ids = random_ids(1, 64)
    with torch.inference_mode():
        exact = make_network(cpu_kernels)(ids).logits
        rough = make_network(cpu_kernels).cast(torch.bfloat16)(ids).logits
    assert rough.dtype == torch.float32
    correlation = torch.corrcoef(torch.stack((exact.flatten(), rough.float().flatten())))[0, 1]
    assert correlation > 0.99


def test_cast_keeps_the_recurrence_and_the_head_in_float32(make_network: Make) -> None:
    dtypes = {name: p.dtype for name, p in make_network().cast(torch.bfloat16).named_parameters()}
    assert {dtypes[name] for name in dtypes if name.endswith((".A_log", ".D"))} == {torch.float32}
    assert {dtypes[name] for name in dtypes if name.startswith(("final_", "head"))} == {torch.float32}
    assert dtypes["fusion.attention.q_proj.weight"] == torch.bfloat16


def test_too_short(make_network: Make, random_ids: Draw) -> None:
    with pytest.raises(SequenceError, match="has 2 bases: expected at least 3"):
        make_network()(random_ids(1, 2))


def test_experts_against_a_loop_over_tokens(cpu_kernels: Kernels) -> None:
    torch.manual_seed(1)
    layer = MixtureOfExperts(
        hidden_size=8, intermediate_size=12, num_experts=5, experts_per_token=2, kernels=cpu_kernels
    )
    for parameter in (layer.gate_up_proj, layer.down_proj):
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 7, 8)
    found, routing = layer(x)
    for token, out in zip(x.flatten(0, 1), found.flatten(0, 1), strict=True):
        probabilities = (layer.router.weight @ token).softmax(0)
        expected = torch.zeros(8)
        for expert in probabilities.argsort(descending=True)[:2]:
            gate, up = (layer.gate_up_proj[expert] @ token).chunk(2)
            expected += probabilities[expert] * (layer.down_proj[expert] @ (gate * gate.sigmoid() * up))
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    assert routing.choices.shape == (14, 2)


# Activated parameters, millions, to the published digits; the 32 with the final MLP.
PUBLISHED = {
    "janusdna-32-midattn": 0.426,
    "janusdna-72": 2.0,
    "janusdna-72-midattn": 2.0,
    "janusdna-144": 7.7,
}


@pytest.mark.parametrize(("name", "millions"), PUBLISHED.items())
def test_published_sizes(name: str, millions: float) -> None:
    with torch.device("meta"):
        _, activated = JanusDNA(PRESETS[name]).parameter_counts()
    digits = len(str(millions).split(".")[1])
    assert round(activated / 1e6, digits) == millions


def test_initial_weights() -> None:
    torch.manual_seed(0)
    parameters = dict(JanusDNA(PRESETS["janusdna-32-midattn"]).named_parameters())
    assert parameters["embedding.weight"].std().item() == pytest.approx(0.02, rel=0.1)
    assert parameters["forward_stream.layers.1.feed_forward.down_proj"].std().item() == pytest.approx(
        0.02, rel=0.1
    )
    mixer = "backward_stream.layers.0.mixer"
    assert torch.equal(parameters[f"{mixer}.A_log"][5], torch.arange(1.0, 17).log())
    assert (parameters[f"{mixer}.D"] == 1).all()
    assert (parameters[f"{mixer}.conv.bias"] == 0).all()
    # Xavier uniform over a square d x d matrix: bound sqrt(6 / 2d).
    bound = (6 / 64) ** 0.5
    q = parameters["fusion.attention.q_proj.weight"]
    assert 0.9 * bound < q.abs().max() <= bound


def test_routings_are_kept_for_the_loss_alone(
    make_network: Make, random_ids: Draw, cpu_kernels: Kernels
) -> None:
    network = make_network(dataclasses.replace(cpu_kernels, chunk_values=64 * WIDTH))
    assert [len(routings) for routings in network(random_ids(1, 100)).routings] == [2, 2]
    with torch.no_grad():
        assert network(random_ids(1, 100)).routings == ([], [])


def test_bfloat16_trains(make_network: Make, random_ids: Draw, cpu_kernels: Kernels) -> None:
    ids, losses = random_ids(2, 60), []
    for dtype in (torch.float32, torch.bfloat16):
        network = make_network(cpu_kernels).cast(dtype)
        loss = objectives.surprisal(network(ids).logits, ids).mean()
        loss.backward()
        losses.append(loss.item())
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.dtype == parameter.dtype
            assert torch.isfinite(parameter.grad).all(), name
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
