"""A step of training against plain PyTorch in float64, however it is cut and shared out."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch

from janusdna import objectives, tokens
from janusdna.errors import TrainingError
from janusdna.nn.model import JanusDNA
from janusdna.objectives import Example, make_example
from janusdna.ops.backends import REFERENCE, Kernels
from janusdna.pretraining import PretrainingLoss
from janusdna.recipe import OBJECTIVES, OPTIMIZERS, Optimizer, Recipe
from janusdna.training import Trainer

from ..closeness import assert_as_close, distance


def examples(objective: str = "janus", batch: int = 6, length: int = 40, seed: int = 3) -> Example:
    rng = np.random.default_rng(seed)
    ids = rng.integers(tokens.A, tokens.T + 1, (batch, length)).astype(np.uint8)
    ids[1, 5:9] = tokens.PAD
    weights = rng.choice(np.float32([0.5, 1]), (batch, length))
    made = [make_example(objective, *window, rng) for window in zip(ids, weights, strict=True)]
    return Example.stacked(made)


def plain_loss(network: JanusDNA, example: Example, objective: str) -> torch.Tensor:
    """By definition, in float64."""
    inputs, labels = (torch.from_numpy(part).long() for part in example[:2])
    weights = torch.from_numpy(example.weights).double()
    prediction = network(inputs, sees=objectives.SEES[objective])
    logp = prediction.logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]
    aux = objectives.router_loss(prediction, network.config.router_aux_loss_coef)
    return -(logp * weights).sum() / weights.sum() + aux


def gradients(network: JanusDNA) -> dict[str, torch.Tensor]:
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in network.named_parameters()
    }


def exact_gradients(network: JanusDNA, example: Example, objective: str) -> dict[str, torch.Tensor]:
    """Of the loss by definition, in float64, with the weights of a fresh network."""
    plain_loss(network.double(), example, objective).backward()
    return gradients(network)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_gradient_is_that_of_the_loss_in_float64(
    make_network: Callable[..., JanusDNA], cpu_kernels: Kernels, objective: str, seed: int
) -> None:
    example, found = examples(objective, seed=seed), []
    for kernels in (cpu_kernels, REFERENCE):
        trainer = Trainer(PretrainingLoss(make_network(kernels, seed), objective), Recipe())
        trainer.gradient([example])
        found.append(gradients(trainer.loss.network))
    assert_as_close(*found, exact_gradients(make_network(seed=seed), example, objective))


@pytest.mark.parametrize("lanes", [1, 2])
def test_it_is_the_same_however_a_step_is_cut(
    make_network: Callable[..., JanusDNA], cpu_kernels: Kernels, lanes: int
) -> None:
    example = examples()
    whole = Trainer(PretrainingLoss(make_network(cpu_kernels, router_aux_loss_coef=0.0)), Recipe())
    whole.gradient([example])
    cut = Trainer(PretrainingLoss(make_network(cpu_kernels, router_aux_loss_coef=0.0)), Recipe(), lanes=lanes)
    cut.gradient([example.part(0, 1), example.part(1, 4), example.part(4, 6)])
    exact = exact_gradients(make_network(router_aux_loss_coef=0.0), example, "janus")
    assert_as_close(gradients(cut.loss.network), gradients(whole.loss.network), exact)


def test_load_balancing_is_a_mean_over_micro_batches_by_windows(
    make_network: Callable[..., JanusDNA],
) -> None:
    example = examples()
    trainer = Trainer(PretrainingLoss(make_network()), Recipe())
    report = trainer.evaluate([example.part(0, 2), example.part(2, 6)])
    parts = [trainer.evaluate([part]).aux_loss for part in (example.part(0, 2), example.part(2, 6))]
    assert report.aux_loss == pytest.approx((2 * parts[0] + 4 * parts[1]) / 6)


def test_lanes_give_the_same_bits_each_time(
    make_network: Callable[..., JanusDNA], cpu_kernels: Kernels
) -> None:
    example = examples()
    found = []
    for _ in range(3):
        trainer = Trainer(PretrainingLoss(make_network(cpu_kernels)), Recipe(), lanes=2)
        for step in (1, 2):
            trainer.step([example.part(0, 2), example.part(2, 4), example.part(4, 6)], step)
        found.append(torch.cat([p.detach().flatten() for p in trainer.loss.network.parameters()]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_recomputing_changes_no_bit(
    make_network: Callable[..., JanusDNA], cpu_kernels: Kernels, objective: str
) -> None:
    example = examples(objective)
    found = []
    for wanted in (False, True):
        trainer = Trainer(PretrainingLoss(make_network(cpu_kernels).recompute(wanted), objective), Recipe())
        trainer.gradient([example])
        found.append(gradients(trainer.loss.network))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_two_steps_are_those_of_adamw_by_hand(make_network: Callable[..., JanusDNA]) -> None:
    recipe = Recipe(max_steps=10, lr=0.01, warmup=0.2, clip=0.5, weight_decay=0.3)
    trainer = Trainer(PretrainingLoss(make_network().double(), compute_dtype=torch.float64), recipe)
    exact = make_network().double()
    named = dict(exact.named_parameters())
    first, second = ({name: torch.zeros_like(p) for name, p in named.items()} for _ in range(2))
    for step in (1, 2):
        example = examples(seed=step)
        report = trainer.step([example], step)
        exact.zero_grad()
        plain_loss(exact, example, "janus").backward()
        norm = math.sqrt(sum(float(p.grad.square().sum()) for p in named.values()))
        assert report.gradient_norm == pytest.approx(norm, rel=1e-9)
        rate = {1: (1e-6 + 0.01) / 2, 2: 0.01}[step]
        with torch.no_grad():
            for name, parameter in named.items():
                gradient = parameter.grad * min(1, 0.5 / norm)
                still = "norm" in name or name.endswith(("bias", "A_log", ".D"))
                parameter *= 1 - rate * (0 if still else 0.3)
                first[name] = 0.9 * first[name] + 0.1 * gradient
                second[name] = 0.95 * second[name] + 0.05 * gradient**2
                unbiased = second[name] / (1 - 0.95**step)
                parameter -= rate * first[name] / (1 - 0.9**step) / (unbiased.sqrt() + 1e-8)
    found = dict(trainer.loss.network.named_parameters())
    assert max(distance(found[name], parameter) for name, parameter in named.items()) < 1e-5


def test_the_learning_rate_rises_then_falls() -> None:
    recipe = Recipe(max_steps=1000)
    rates = [recipe.lr_at(step) for step in range(1, 1001)]
    assert rates[:100] == pytest.approx([1e-6 + (8e-3 - 1e-6) * step / 100 for step in range(1, 101)])
    assert max(rates) == rates[99] == 8e-3
    middle = 1e-4 + (8e-3 - 1e-4) * (1 + math.cos(math.pi / 2)) / 2
    assert (rates[549], rates[-1]) == pytest.approx((middle, 1e-4))
    assert Recipe(max_steps=10, warmup=0).lr_at(1) < 8e-3


def test_a_causal_prediction_sees_what_is_before_it_and_nothing_else(
    make_network: Callable[..., JanusDNA], random_ids: Callable[[int, int], torch.Tensor]
) -> None:
    network, ids = make_network(), random_ids(1, 20)
    changed = ids.clone()
    changed[0, 11] = 7 + (ids[0, 11] - 6) % 4
    one, other = (network(x, sees="before").logits[0] for x in (ids, changed))
    assert torch.equal(one[:12], other[:12])
    assert (one[12:] != other[12:]).any(dim=-1).all()


def test_a_masked_prediction_sees_everything(
    make_network: Callable[..., JanusDNA], random_ids: Callable[[int, int], torch.Tensor]
) -> None:
    network, ids = make_network(), random_ids(1, 20)
    changed = ids.clone()
    changed[0, 11] = 7 + (ids[0, 11] - 6) % 4
    one, other = (network(x, sees="all").logits[0] for x in (ids, changed))
    assert (one != other).any(dim=-1).all()


def test_causal_training_leaves_the_backward_stream_alone(make_network: Callable[..., JanusDNA]) -> None:
    network = make_network()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    Trainer(PretrainingLoss(network, "clm"), Recipe(max_steps=1, warmup=0)).step([examples("clm")], 1)
    same = {name for name, p in network.named_parameters() if torch.equal(p, before[name])}
    assert same == {name for name in before if name.startswith("backward_stream.")}


def test_what_is_reported_is_counted_by_hand(make_network: Callable[..., JanusDNA]) -> None:
    example = examples()
    network = make_network()
    report = Trainer(PretrainingLoss(network), Recipe()).evaluate([example.part(0, 4), example.part(4, 6)])
    with torch.no_grad():
        logits = network(torch.from_numpy(example.inputs).long()).logits.double()
    labels, counts = torch.from_numpy(example.labels).long(), torch.from_numpy(example.weights) > 0
    bases = logits[..., 7:11].log_softmax(-1).gather(-1, (labels - 7).clamp(0, 3)[..., None])[..., 0]
    right = logits[..., 7:11].argmax(-1) + 7 == labels
    assert (report.counted, report.windows) == (int(counts.sum()), 6) == (6 * 40 - 4, 6)
    assert report.bits_per_base == pytest.approx(float(-bases[counts].mean() / math.log(2)), rel=1e-5)
    assert report.accuracy == pytest.approx(float(right[counts].double().mean()))
    usage = np.array(report.usage)
    assert usage.shape == (2, 2, 4)
    assert usage.sum(axis=2) == pytest.approx(1)


def test_bits_are_told_apart_by_kind(make_network: Callable[..., JanusDNA]) -> None:
    network, example = make_network(), examples()
    kinds = np.random.default_rng(8).integers(0, 3, example.inputs.shape).astype(np.uint8)
    example = example._replace(kinds=kinds, weights=np.where(kinds == 2, 0, example.weights))
    trainer = Trainer(PretrainingLoss(network, kinds=4), Recipe(max_steps=9))
    report = trainer.evaluate([example.part(0, 2), example.part(2, 6)])
    with torch.no_grad():
        logits = network(torch.from_numpy(example.inputs).long()).logits[..., tokens.ACGT].double()
    labels = torch.from_numpy(example.labels).long()
    bits = -logits.log_softmax(-1).gather(-1, (labels - tokens.A).clamp(0, 3)[..., None])[..., 0] / np.log(2)
    for kind in range(4):
        there = torch.from_numpy((kinds == kind) & (example.weights > 0))
        assert report.by_kind[kind][1] == int(there.sum())
        if there.any():
            assert report.by_kind[kind][0] == pytest.approx(float(bits[there].mean()), rel=1e-5)
    assert report.by_kind[2:] == [(0.0, 0), (0.0, 0)]
    mean = sum(bits * count for bits, count in report.by_kind) / report.counted
    assert report.bits_per_base == pytest.approx(mean, rel=1e-6)
    assert Trainer(PretrainingLoss(network), Recipe(max_steps=9)).evaluate([example]).by_kind == []


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_saved_optimiser_goes_on_to_the_same_bits(
    make_network: Callable[..., JanusDNA], optimizer: Optimizer
) -> None:
    recipe = Recipe(max_steps=4, warmup=0, optimizer=optimizer)
    one = Trainer(PretrainingLoss(make_network()), recipe)
    for step in (1, 2):
        one.step([examples(seed=step)], step)
    other = Trainer(PretrainingLoss(make_network(seed=9)), recipe)
    other.loss.network.load_state_dict(one.loss.network.state_dict())
    other.load_state({name: tensor.clone() for name, tensor in one.state().items()})
    for step in (3, 4):
        reports = [trainer.step([examples(seed=step)], step) for trainer in (one, other)]
        assert reports[0] == reports[1]
    pairs = zip(one.loss.network.parameters(), other.loss.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_muon_moves_the_matrices_and_adamw_the_rest(make_network: Callable[..., JanusDNA]) -> None:
    moved = {}
    for optimizer in OPTIMIZERS:
        network = make_network()
        Trainer(PretrainingLoss(network), Recipe(max_steps=1, warmup=0, optimizer=optimizer)).step(
            [examples()], 1
        )
        moved[optimizer] = dict(network.named_parameters())
    same = {name for name, p in moved["adamw"].items() if torch.equal(p, moved["muon"][name])}
    matrix = re.compile(r"\b(in|out|x|[qkvo]|gate_up|down)_proj|final_mlp.*weight")
    assert same == {name for name in moved["adamw"] if not matrix.search(name)}


def test_a_step_that_is_not_finite_names_its_windows_and_changes_nothing(
    make_network: Callable[..., JanusDNA],
) -> None:
    network = make_network()
    with torch.no_grad():
        network.embedding.weight[tokens.T] = math.inf
    example = examples()
    ids = np.where(example.inputs == tokens.T, tokens.A, example.inputs)
    ids[4, 7] = tokens.T
    poisoned = Example(ids, ids, example.weights)
    trainer = Trainer(PretrainingLoss(network), Recipe(max_steps=1))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    with pytest.raises(TrainingError, match="the loss is nan") as caught:
        trainer.step([poisoned.part(0, 3), poisoned.part(3, 6)], 1)
    assert caught.value.windows == (4,)
    assert all(torch.equal(p, before[name]) for name, p in network.named_parameters())


def test_what_proceed_raises_ends_a_step_with_nothing_changed(make_network: Callable[..., JanusDNA]) -> None:
    trainer = Trainer(PretrainingLoss(make_network()), Recipe(max_steps=1))
    before = [p.detach().clone() for p in trainer.loss.network.parameters()]
    calls = []

    def proceed() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.step([examples(), examples()], 1, proceed)
    assert all(torch.equal(p, b) for p, b in zip(trainer.loss.network.parameters(), before, strict=True))
