"""The loss of labels: of a step as a whole, however it is cut; what is trained; gradients in float64."""

import copy

import numpy as np
import pytest
import torch

from janusdna import ModelConfig, tokens
from janusdna.errors import ConfigError
from janusdna.finetuning import LabelledBatch, LabelLoss, tell, trained_part
from janusdna.labels import LabelTask
from janusdna.nn.labelled import LabelledNetwork
from janusdna.nn.model import JanusDNA

from ..networks import WIDTH, draw_weights

LABELS = {
    "binary": (("a", "b"), np.array([0, 1, 1, 0, 1, 0])),
    "multiclass": (("a", "b", "c"), np.array([0, 1, 2, 0, 2, 1])),
    "multilabel": (("a", "b"), np.array([[0, 1], [1, 1], [0, 0], [1, 0], [1, 1], [0, 1]], np.float32)),
    "regression": (("y",), np.array([[0.1], [-1.0], [2.0], [0.5], [0.0], [1.0]], np.float32)),
}


def make_network(task: LabelTask, *, dtype: torch.dtype = torch.float32) -> LabelledNetwork:
    config = ModelConfig(
        hidden_size=WIDTH,
        intermediate_size=32,
        fusion_scale_width=32,
        num_layers=3,
        num_experts=4,
        expert_layers=(1,),
        attention_layers=(2,),
        trained_length=64,
    )
    torch.manual_seed(3)
    backbone = JanusDNA(config)
    draw_weights(backbone, 3)
    return LabelledNetwork(backbone, task).to(dtype)


def make_batch(task: LabelTask, seed: int = 0, length: int = 21) -> LabelledBatch:
    chance = np.random.default_rng(seed)
    labels = LABELS[task.kind][1]
    ids, other = (chance.integers(tokens.A, tokens.T + 1, (6, length)).astype(np.uint8) for _ in range(2))
    weights = chance.uniform(0.5, 2, 6).astype(np.float32)
    return LabelledBatch(ids, labels, weights, other if task.pairs else None)


def task_of(kind: str, **options) -> LabelTask:
    return LabelTask(kind=kind, labels=LABELS[kind][0], **options)


def loss_of(network: LabelledNetwork, task: LabelTask, **options) -> LabelLoss:
    return LabelLoss(network, task, compute_dtype=network.head.out.weight.dtype, **options)


def sums_of(loss: LabelLoss, batches: list[LabelledBatch]) -> tuple[float, np.ndarray]:
    totals = loss.weigh(batches)
    parts = [loss.read(batch, totals) for batch in batches]
    return sum(part.item() for part, _ in parts), sum(sums for _, sums in parts).numpy()


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("strands", ["none", "both"])
def test_a_step_is_the_same_however_it_is_cut(kind, strands):
    task = task_of(kind, strands=strands, window=21 if kind == "binary" else None)
    loss = loss_of(make_network(task, dtype=torch.float64), task, aux=0.0)
    batch = make_batch(task)
    whole, sums = sums_of(loss, [batch])
    cut, others = sums_of(loss, [batch.part(0, 1), batch.part(1, 4), batch.part(4, 6)])
    assert whole == pytest.approx(cut, rel=1e-12)
    np.testing.assert_allclose(sums, others, rtol=1e-12)


@pytest.mark.parametrize("kind", LABELS)
def test_the_loss_is_that_of_the_textbook(kind):
    task = task_of(kind, strands="none")
    network = make_network(task, dtype=torch.float64)
    batch = make_batch(task)
    loss, _ = sums_of(loss_of(network, task, aux=0.0), [batch])
    outputs = tell(network, batch, both=False).logits.detach().numpy()
    labels = batch.labels
    if kind in ("binary", "multiclass"):
        shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        each = -np.log(shares[np.arange(6), labels])
    elif kind == "multilabel":
        shares = 1 / (1 + np.exp(-outputs))
        each = -(labels * np.log(shares) + (1 - labels) * np.log(1 - shares)).mean(axis=1)
    else:
        each = ((outputs - labels) ** 2).mean(axis=1)
    assert loss == pytest.approx((each * batch.weights).sum() / batch.weights.sum(), rel=1e-6)


@pytest.mark.parametrize(
    ("pool", "head", "share"),
    [("mean", "linear", 1), ("max", "mlp", 0.1), ("center", "linear", 0.1), ("attention", "mlp", 0.1)],
)
def test_the_gradient_is_that_of_differences(pool, head, share):
    """Of a weight of each tensor: of the head's, and of a share of the backbone's."""
    task = task_of("binary", pool=pool, head=head, strands="both")
    network = make_network(task, dtype=torch.float64)
    loss = loss_of(network, task, aux=0.1)
    batch = make_batch(task)
    totals = loss.weigh([batch])
    loss.read(batch, totals)[0].backward()
    chance = np.random.default_rng(1)
    for name, parameter in loss.trained().items():
        if name.startswith("backbone.") and chance.random() > share:
            continue
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        at = int(chance.integers(len(flat)))
        found, step = [], 1e-6
        before = flat[at].item()
        for value in (before + step, before - step):
            flat[at] = value
            found.append(loss.read(batch, totals)[0].item())
        flat[at] = before
        slope = (found[0] - found[1]) / (2 * step)
        assert gradient[at].item() == pytest.approx(slope, rel=1e-4, abs=1e-8), name


def test_both_strands_are_one_answer():
    task = task_of("binary", strands="both")
    network = make_network(task, dtype=torch.float64).eval()
    batch = make_batch(task)
    turned = batch._replace(ids=tokens.reverse_complement(batch.ids))
    one, other = (tell(network, each, both=True).logits for each in (batch, turned))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("strands", ["test", "predict"])
def test_both_strands_are_read_in_a_prediction_alone(strands):
    task = task_of("binary", strands=strands)
    network = make_network(task, dtype=torch.float64)
    loss, batch = loss_of(network, task, aux=0.0), make_batch(task)
    given = loss_of(network, task_of("binary", strands="none"), aux=0.0)
    both = loss_of(network, task_of("binary", strands="both"), aux=0.0)
    network.train()
    assert sums_of(loss, [batch])[0] == sums_of(given, [batch])[0]
    network.eval()
    assert sums_of(loss, [batch])[0] == sums_of(both, [batch])[0]


def test_what_is_trained_moves_and_nothing_else():
    task = task_of("binary")
    for part, inside, outside in (
        ("head", "head.out.weight", "backbone.fusion"),
        ("last:1", "backbone.forward_stream.layers.2", "backbone.forward_stream.layers.1"),
        ("all", "backbone.embedding", "backbone.head"),
    ):
        network = make_network(task)
        names = set(trained_part(network, part))
        assert any(name.startswith(inside) for name in names), part
        assert not any(name.startswith(outside) for name in names), part
        frozen = {name for name, one in network.named_parameters() if not one.requires_grad}
        assert frozen | names == {name for name, _ in network.named_parameters()}
        assert not frozen & names
        loss, batch = loss_of(network, task, part=part, aux=0.1), make_batch(task)
        loss.read(batch, loss.weigh([batch]))[0].backward()
        moved = {name for name, one in network.named_parameters() if one.grad is not None}
        assert moved == names, part


def test_more_layers_than_there_are_is_all_of_them():
    network = make_network(task_of("binary"))
    every = set(trained_part(network, "last:99"))
    assert every == set(trained_part(network, "all")) - {"backbone.embedding.weight"}


def test_a_task_is_kept_as_json():
    task = task_of("regression", mean=(1.5,), spread=(2.0,), pad_to=9)
    assert LabelTask.from_dict(task.to_dict()) == task
    with pytest.raises(ConfigError, match="unknown field 'colour'"):
        LabelTask.from_dict(task.to_dict() | {"colour": 1})
    with pytest.raises(ConfigError, match="pool is 'median': expected mean, max, center, attention"):
        LabelTask.from_dict(task.to_dict() | {"pool": "median"})


def test_weights_are_relative():
    """Twice the weight of all changes nothing; weight nought is as if a sequence were not there."""
    task = task_of("binary", strands="none")
    loss = loss_of(make_network(task, dtype=torch.float64), task, aux=0.0)
    batch = make_batch(task)
    twice = batch._replace(weights=2 * batch.weights)
    assert sums_of(loss, [batch])[0] == pytest.approx(sums_of(loss, [twice])[0], rel=1e-12)
    without = copy.copy(batch.weights)
    without[3:] = 0
    first = batch.part(0, 3)
    assert sums_of(loss, [batch._replace(weights=without)])[0] == pytest.approx(
        sums_of(loss, [first])[0], rel=1e-12
    )
