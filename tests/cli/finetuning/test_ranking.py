"""Areas under curves against brute force, and their intervals."""

import math

import numpy as np
import pytest

from janusdna_cli.finetuning import ranking


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_areas_are_those_of_brute_force(levels):
    rng = np.random.default_rng(levels)
    positive = rng.integers(0, levels, 40) + 0.3 * levels // 1
    negative = rng.integers(0, levels, 70).astype(float)
    pairs = [(a > b) + (a == b) / 2 for a in positive for b in negative]
    assert ranking.auroc(positive, negative) == pytest.approx(np.mean(pairs))
    precision, reached = 0.0, 0.0
    for threshold in sorted({*positive, *negative}, reverse=True):
        found, wrong = (positive >= threshold).sum(), (negative >= threshold).sum()
        precision += (found / len(positive) - reached) * found / (found + wrong)
        reached = found / len(positive)
    assert ranking.average_precision(positive, negative) == pytest.approx(precision)


def test_areas_of_what_is_apart_and_of_what_is_equal():
    low, high = np.arange(5.0), np.arange(10.0, 15.0)
    assert ranking.auroc(high, low) == ranking.average_precision(high, low) == 1
    assert ranking.auroc(low, high) == 0
    assert ranking.auroc(np.ones(3), np.ones(9)) == 0.5
    assert ranking.average_precision(np.ones(3), np.ones(9)) == 0.25


def test_intervals_hold_the_true_value_and_follow_the_seed():
    truth = 0.5 * (1 + math.erf(0.5))  # of two normal distributions one standard deviation apart
    within = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = ranking.with_intervals(rng.normal(1, 1, 300), rng.normal(0, 1, 300), resamples=200, seed=0)
        value, low, high = found["AUROC"]
        within += low <= truth <= high
        assert low < value < high
        assert 0.03 < high - low < 0.12
    assert within >= 16
    scores = np.arange(30.0), np.arange(10.0, 50.0)
    once, again, other = (
        ranking.with_intervals(*scores, resamples=50, seed=seed)["AUPRC"] for seed in (1, 1, 2)
    )
    assert once == again != other
