"""How good predictions are, by scikit-learn, each with an interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from janusdna.labels import LabelKind
from janusdna_cli.finetuning.resampling import weighted_metrics

__all__ = ["LOWER_IS_BETTER", "METRICS", "Interval", "Predicted", "chosen_by", "intervals", "measured"]

# What the best epoch is chosen by.
_CHOSEN_BY: Mapping[LabelKind, str] = {
    "binary": "auroc", "multiclass": "accuracy", "multilabel": "auroc", "regression": "pearson",
}  # fmt: skip
METRICS: Mapping[LabelKind, tuple[str, ...]] = {
    "binary": ("accuracy", "mcc", "f1", "auroc", "auprc"),
    "multiclass": ("accuracy", "mcc", "f1", "auroc", "auprc"),
    "multilabel": ("accuracy", "f1", "auroc", "auprc"),
    "regression": ("pearson", "spearman", "r2", "mse"),
}
LOWER_IS_BETTER = frozenset({"mse"})
_RESAMPLES, _SHARE = 1000, 0.95
_FEW = 2

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]


class Predicted(NamedTuple):
    """What was predicted of n sequences, and what is so.

    Attributes:
        values: Shares of classes, or a regression's numbers, (n, outputs).
        labels: Classes, (n,); several labels or numbers, (n, outputs).
    """

    values: Floats
    labels: Labels


class Interval(NamedTuple):
    """A metric, and the middle 95 % of what it is over resamples."""

    value: float
    low: float
    high: float


def chosen_by(kind: LabelKind, labels: Labels, wanted: str | None = None) -> str:
    """The metric by which the best epoch is chosen; accuracy where not all classes are there for another."""
    chosen = wanted or _CHOSEN_BY[kind]
    columns = labels.reshape(len(labels), -1)
    is_defined = chosen not in ("auroc", "auprc") or (
        len(labels) > 0 and bool((np.ptp(columns, axis=0) > 0).all())
    )
    return chosen if is_defined else "accuracy"


def measured(kind: LabelKind, tested: Predicted) -> dict[str, float]:
    """The metrics of a kind of labels; NaN where one is not defined, as an AUROC of one class.

    F1 is that of the second of two classes, else the mean over the classes; AUROC and AUPRC are means over
    the classes, each against all others, or over the labels; those of several numbers are means over them.
    """
    of_kind: dict[LabelKind, Callable[[Predicted], dict[str, float]]] = {
        "binary": _of_classes,
        "multiclass": _of_classes,
        "multilabel": _of_several,
        "regression": _of_numbers,
    }
    return {name: float(value) for name, value in of_kind[kind](tested).items()}


def intervals(kind: LabelKind, samples: Sequence[Predicted], seed: int = 0) -> dict[str, Interval]:
    """The mean of each metric over samples, and its percentile bootstrap over their sequences.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    chance = np.random.default_rng(seed)
    of_samples = [weighted_metrics(kind, one.values, one.labels) for one in samples]
    values = {name: np.zeros((_RESAMPLES, len(samples))) for name in METRICS[kind]}
    for row in range(_RESAMPLES):
        for column, (sample, metrics) in enumerate(zip(samples, of_samples, strict=True)):
            count = len(sample.labels)
            drawn = np.bincount(chance.integers(count, size=count), minlength=count).astype(np.float64)
            for name, value in metrics(drawn).items():
                values[name][row, column] = value
    found = [measured(kind, one) for one in samples]
    return {
        name: Interval(float(np.mean([one[name] for one in found])), *_middle(values[name].mean(axis=1)))
        for name in METRICS[kind]
    }


def _middle(values: Floats) -> tuple[float, float]:
    """Between which most of some values lie, those that are not defined aside."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, ((1 - _SHARE) / 2, (1 + _SHARE) / 2))
    return float(low), float(high)


def _of_classes(tested: Predicted) -> dict[str, float]:
    from sklearn import metrics

    shares, labels = tested
    classes = shares.shape[1]
    told = shares.argmax(axis=1)
    mean_of = "binary" if classes == _FEW else "macro"
    one_by_one = np.eye(classes)[labels]
    if classes == _FEW:
        one_by_one, shares = one_by_one[:, 1:], shares[:, 1:]
    return {
        "accuracy": metrics.accuracy_score(labels, told),
        "mcc": metrics.matthews_corrcoef(labels, told) if len({*labels, *told}) > 1 else 0.0,
        "f1": metrics.f1_score(labels, told, average=mean_of, zero_division=0),
        "auroc": _over_columns(metrics.roc_auc_score, one_by_one, shares),
        "auprc": _over_columns(metrics.average_precision_score, one_by_one, shares),
    }


def _of_several(tested: Predicted) -> dict[str, float]:
    from sklearn import metrics

    shares, labels = tested
    is_so, told = labels > 0.5, shares > 0.5
    return {
        "accuracy": float((told == is_so).mean()),
        "f1": metrics.f1_score(is_so, told, average="macro", zero_division=0),
        "auroc": _over_columns(metrics.roc_auc_score, is_so, shares),
        "auprc": _over_columns(metrics.average_precision_score, is_so, shares),
    }


def _of_numbers(tested: Predicted) -> dict[str, float]:
    from scipy import stats
    from sklearn import metrics

    values, labels = tested

    def correlation(kind: Callable[[Floats, Floats], Any]) -> float:
        pairs = list(zip(values.T, labels.T, strict=True))
        if len(labels) < _FEW or any(np.ptp(one) == 0 or np.ptp(other) == 0 for one, other in pairs):
            return float("nan")
        return float(np.mean([kind(one, other).statistic for one, other in pairs]))

    return {
        "pearson": correlation(stats.pearsonr),
        "spearman": correlation(stats.spearmanr),
        "r2": metrics.r2_score(labels, values) if len(labels) >= _FEW else float("nan"),
        "mse": metrics.mean_squared_error(labels, values),
    }


def _over_columns(metric: Callable[[Labels, Floats], float], labels: Labels, shares: Floats) -> float:
    """Mean over the columns; NaN where one has labels of one kind alone."""
    if not len(labels) or not ((labels.min(axis=0) == 0) & (labels.max(axis=0) == 1)).all():
        return float("nan")
    return float(np.mean([metric(labels[:, i], shares[:, i]) for i in range(labels.shape[1])]))
