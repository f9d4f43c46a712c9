"""Metrics against their definitions; intervals that cover as often as they say."""

import itertools

import numpy as np
import pytest

from janusdna_cli.finetuning.metrics import METRICS, Predicted, chosen_by, intervals, measured
from janusdna_cli.finetuning.resampling import weighted_metrics


def pairwise_auroc(shares, is_so):
    pairs = list(itertools.product(shares[is_so], shares[~is_so]))
    return np.mean([(one > other) + 0.5 * (one == other) for one, other in pairs])


def test_two_classes():
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 2, 60)
    shares = np.round(0.3 * labels + chance.random(60) * 0.7, 1)
    found = measured("binary", Predicted(np.stack([1 - shares, shares], axis=1), labels))
    assert tuple(found) == METRICS["binary"]
    told = shares > 0.5
    right, wrong = (told & (labels == 1)).sum(), (told & (labels == 0)).sum()
    missed, left = (~told & (labels == 1)).sum(), (~told & (labels == 0)).sum()
    assert found["accuracy"] == pytest.approx((right + left) / 60)
    assert found["f1"] == pytest.approx(2 * right / (2 * right + wrong + missed))
    bottom = np.sqrt(float((right + wrong) * (right + missed) * (left + wrong) * (left + missed)))
    assert found["mcc"] == pytest.approx((right * left - wrong * missed) / bottom)
    assert found["auroc"] == pytest.approx(pairwise_auroc(shares, labels == 1))


def test_several_classes_are_means_of_one_against_the_others():
    chance = np.random.default_rng(1)
    labels = chance.integers(0, 3, 90)
    values = chance.random((90, 3)) + np.eye(3)[labels]
    values /= values.sum(axis=1, keepdims=True)
    found = measured("multiclass", Predicted(values, labels))
    each = [pairwise_auroc(values[:, label], labels == label) for label in range(3)]
    assert found["auroc"] == pytest.approx(np.mean(each))
    assert found["accuracy"] == (values.argmax(axis=1) == labels).mean()


def test_numbers():
    chance = np.random.default_rng(2)
    labels = chance.normal(size=(50, 1))
    values = labels * 0.5 + chance.normal(size=(50, 1))
    found = measured("regression", Predicted(values, labels))
    assert tuple(found) == METRICS["regression"]
    assert found["pearson"] == pytest.approx(np.corrcoef(values[:, 0], labels[:, 0])[0, 1])
    ranks = [np.argsort(np.argsort(one[:, 0])) for one in (values, labels)]
    assert found["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert found["mse"] == pytest.approx(((values - labels) ** 2).mean())
    assert found["r2"] == pytest.approx(
        1 - ((values - labels) ** 2).sum() / ((labels - labels.mean()) ** 2).sum()
    )


def test_what_is_not_defined_is_nan():
    one_class = Predicted(np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 1]))
    found = measured("binary", one_class)
    assert np.isnan(found["auroc"])
    assert np.isnan(found["auprc"])
    assert found["accuracy"] == 0.5
    constant = Predicted(np.zeros((5, 1)), np.arange(5.0)[:, None])
    assert np.isnan(measured("regression", constant)["pearson"])


def test_the_best_epoch_is_chosen_by_what_is_defined():
    assert chosen_by("binary", np.array([0, 1, 1])) == "auroc"
    assert chosen_by("binary", np.array([1, 1])) == "accuracy"
    assert chosen_by("multilabel", np.array([[0, 1], [1, 1]])) == "accuracy"
    assert chosen_by("regression", np.array([[0.5], [0.5]])) == "pearson"
    assert chosen_by("multiclass", np.array([0, 2]), "mcc") == "mcc"


def test_intervals_cover_as_often_as_they_say():
    """Of many samples of a known accuracy the interval holds it in about 95 % (binomial, n = 60: 5 sd)."""
    chance, truth, hits, tries = np.random.default_rng(3), 0.8, 0, 60
    for _ in range(tries):
        labels = chance.integers(0, 2, 100)
        right = chance.random(100) < truth
        told = np.where(right, labels, 1 - labels)
        found = intervals("binary", [Predicted(np.eye(2)[told], labels)])["accuracy"]
        hits += found.low <= truth <= found.high
    spread = np.sqrt(tries * 0.95 * 0.05)
    assert tries * 0.95 - 5 * spread <= hits <= tries


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("ties", [False, True])
def test_what_counts_twice_is_there_twice(kind, ties):
    """Resamples take their metrics from elsewhere than the values: both must be the same ones."""
    chance = np.random.default_rng(5)
    n, outputs = 80, 2 if kind in ("binary", "multilabel") else 3
    labels = {
        "binary": chance.integers(0, 2, n),
        "multiclass": chance.integers(0, 3, n),
        "multilabel": chance.integers(0, 2, (n, outputs)).astype(np.float32),
        "regression": chance.normal(size=(n, outputs)),
    }[kind]
    values = chance.random((n, outputs)) + (0 if labels.ndim == 1 else 0.3 * labels)
    if ties:
        values = np.round(values, 1)
        labels = np.round(labels, 0 if kind == "regression" else 6).astype(labels.dtype)
    metrics = weighted_metrics(kind, values, labels)
    for _ in range(5):
        drawn = chance.integers(n, size=n)
        again = measured(kind, Predicted(values[drawn], labels[drawn]))
        found = metrics(np.bincount(drawn, minlength=n).astype(np.float64))
        assert found == pytest.approx(again, rel=1e-9, abs=1e-12)


def test_over_samples_the_mean_is_resampled():
    chance = np.random.default_rng(4)
    samples = []
    for _ in range(3):
        labels = chance.integers(0, 2, 40)
        samples.append(Predicted(np.eye(2)[chance.integers(0, 2, 40)], labels))
    found = intervals("binary", samples)["accuracy"]
    each = [measured("binary", sample)["accuracy"] for sample in samples]
    assert found.value == pytest.approx(np.mean(each))
    assert found.low < found.value < found.high
    widths = [np.subtract(*intervals("binary", [sample])["accuracy"][:0:-1]) for sample in samples]
    assert found.high - found.low < min(widths)
