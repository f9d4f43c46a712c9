"""The losses against their definitions, written out; examples against counting."""

import math

import numpy as np
import pytest
import torch

from janusdna import objectives
from janusdna.nn.feed_forward import Routing
from janusdna.objectives import Example, make_example
from janusdna.recipe import OBJECTIVES

MASK, PAD = 3, 4


def window(length: int, seed: int = 0) -> np.ndarray:
    """Bases, and one [PAD] in ten."""
    rng = np.random.default_rng(seed)
    return rng.choice(np.uint8([7, 8, 9, 10, PAD]), length, p=[0.3, 0.2, 0.15, 0.25, 0.1])


def test_load_balancing_by_hand() -> None:
    routings = []
    for visits in (5, 5):
        probabilities = torch.rand(visits, 3).softmax(-1)
        routings.append(Routing(probabilities, probabilities.topk(2).indices))
    everything = torch.cat([r.probabilities for r in routings])
    choices = torch.cat([r.choices for r in routings])
    expected = 0.0
    for k in range(2):
        for e in range(3):
            share = (choices[:, k] == e).sum().item() / 10
            expected += 3 * share * everything[:, e].mean().item()
    assert objectives.load_balancing_loss(routings).item() == pytest.approx(expected)


def test_janus_predicts_every_base_from_the_window_as_it_is() -> None:
    ids = np.uint8([7, PAD, 8, 9, PAD, 10, 7])
    example = make_example("janus", ids, None, np.random.default_rng(0))
    assert example.inputs.tolist() == example.labels.tolist() == [7, PAD, 8, 9, PAD, 10, 7]
    assert example.weights.tolist() == [1, 0, 1, 1, 0, 1, 1]


@pytest.mark.parametrize(("first", "expected"), [(7, [0, 0, 1, 1]), (PAD, [0, 0, 1, 1])])
def test_clm_does_not_count_what_has_nothing_before_it(first: int, expected: list[int]) -> None:
    ids = np.uint8([first, PAD, 8, 9])
    example = make_example("clm", ids, None, np.random.default_rng(0))
    assert example.inputs.tolist() == example.labels.tolist() == ids.tolist()
    assert example.weights.tolist() == expected


def within(found: int, share: float, of: int) -> bool:
    """Within five standard deviations of a binomial distribution."""
    return abs(found - share * of) < 5 * math.sqrt(of * share * (1 - share))


def test_mlm_masks_as_bert_does() -> None:
    ids = window(1_000_000)
    example = make_example("mlm", ids, None, np.random.default_rng(1))
    assert example.labels.tolist() == ids.tolist()
    is_base = ids != PAD
    chosen = example.weights > 0
    assert set(np.unique(example.weights)) == {0, 1}
    assert not (chosen & ~is_base).any()
    assert within(int(chosen.sum()), 0.15, int(is_base.sum()))
    # What was not chosen is as it was.
    assert (example.inputs[~chosen] == ids[~chosen]).all()
    assert (example.inputs[~is_base] == PAD).all()
    count = int(chosen.sum())
    masked = chosen & (example.inputs == MASK)
    changed = chosen & (example.inputs != MASK) & (example.inputs != ids)
    same = chosen & (example.inputs == ids)
    # A tenth becomes any of the four bases, its own included; a tenth stays.
    assert within(int(masked.sum()), 0.8, count)
    assert within(int(changed.sum()), 0.1 * 3 / 4, count)
    assert within(int(same.sum()), 0.1 + 0.1 / 4, count)
    for base in (7, 8, 9, 10):
        others = changed & (ids != base)
        assert within(int((example.inputs[others] == base).sum()), 1 / 3, int(others.sum()))
        assert within(int((chosen & (ids == base)).sum()), 0.15, int((ids == base).sum()))
    # Neighbours are chosen independently.
    pairs = is_base[1:] & is_base[:-1]
    assert within(int((chosen[1:] & chosen[:-1])[pairs].sum()), 0.15**2, int(pairs.sum()))


def test_mlm_depends_on_its_generator_only() -> None:
    ids = window(1_000)
    one, same = (make_example("mlm", ids, None, np.random.default_rng(3)) for _ in range(2))
    other = make_example("mlm", ids, None, np.random.default_rng(4))
    assert all((a == b).all() for a, b in zip(one[:3], same[:3], strict=True))
    assert (one.inputs != other.inputs).any()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_weights_multiply_and_change_nothing_else(objective: str) -> None:
    ids = window(5_000)
    before = ids.copy()
    weights = np.random.default_rng(2).choice(np.float32([0, 0.1, 1]), len(ids))
    given = weights.copy()
    plain = make_example(objective, ids, None, np.random.default_rng(5))
    example = make_example(objective, ids, weights, np.random.default_rng(5))
    assert example.inputs.tolist() == plain.inputs.tolist()
    assert example.labels.tolist() == plain.labels.tolist()
    assert example.weights.tolist() == (plain.weights * weights).tolist()
    assert set(np.unique(example.weights)) == {np.float32(0), np.float32(0.1), np.float32(1)}
    assert (ids == before).all()
    assert (weights == given).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_pad_never_counts_whatever_its_weight(objective: str) -> None:
    ids = np.full(1_000, PAD, np.uint8)
    example = make_example(objective, ids, np.full(1_000, 5, np.float32), np.random.default_rng(0))
    assert not example.weights.any()
    assert (example.inputs == PAD).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_example_is_of_small_types(objective: str) -> None:
    example = make_example(objective, window(100), None, np.random.default_rng(0))
    assert [part.dtype for part in example[:3]] == [np.uint8, np.uint8, np.float32]


def test_a_part_of_an_example() -> None:
    made = [make_example("mlm", window(9, seed), None, np.random.default_rng(seed)) for seed in range(5)]
    example = Example.stacked(made)
    part = example.part(1, 4)
    for row, one in enumerate(made[1:4]):
        assert all((found[row] == wanted).all() for found, wanted in zip(part[:3], one[:3], strict=True))
    kinds = np.arange(45, dtype=np.uint8).reshape(5, 9)
    told = [one._replace(kinds=own) for one, own in zip(made, kinds, strict=True)]
    assert (Example.stacked(told).part(1, 4).kinds == kinds[1:4]).all()
    assert part.kinds is None
    assert len(part.inputs) == 3


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 1e-5)]
)
def test_surprisal_by_hand(dtype: torch.dtype, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(3, 5, 16, generator=generator) * 10).to(dtype)
    labels = torch.randint(0, 16, (3, 5), generator=generator)
    found = objectives.surprisal(logits, labels)
    assert found.dtype == (torch.float64 if dtype is torch.float64 else torch.float32)
    assert found.shape == (3, 5)
    for row in range(3):
        for t in range(5):
            values = [float(value) for value in logits[row, t]]
            highest = max(values)
            total = highest + math.log(math.fsum(math.exp(value - highest) for value in values))
            expected = total - values[int(labels[row, t])]
            assert float(found[row, t]) == pytest.approx(expected, rel=tolerance, abs=tolerance)


def test_another_share_of_the_bases_may_be_masked() -> None:
    ids = np.full(100_000, 9, np.uint8)
    example = objectives.make_example("mlm", ids, None, np.random.default_rng(1), mask_share=0.4)
    assert example.weights.mean() == pytest.approx(0.4, abs=0.01)
