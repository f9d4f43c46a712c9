"""Metrics of sequences that count more than once: what a bootstrap asks for a thousand times.

They are those of `metrics`, which scikit-learn computes, and are tested against them; here each takes one
pass over the sequences, sorted once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from janusdna.labels import LabelKind
from janusdna_cli.finetuning.ranking import Ranked

__all__ = ["weighted_metrics"]

_FEW = 2

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]
Metrics = dict[str, float]
# Metrics of n sequences that count so often, (n,).
Weighted = Callable[[Floats], Metrics]


def weighted_metrics(kind: LabelKind, values: Floats, labels: Labels) -> Weighted:
    """The metrics of a kind, for any numbers of times that sequences count.

    Args:
        kind: Of the labels.
        values: As `Predicted` has them.
        labels: Likewise.
    """
    if kind == "regression":
        return _of_numbers(values, labels)
    return _of_several(values, labels) if kind == "multilabel" else _of_classes(values, labels)


def _of_classes(shares: Floats, labels: Labels) -> Weighted:
    classes = shares.shape[1]
    cells = labels * classes + shares.argmax(axis=1)
    columns = [1] if classes == _FEW else range(classes)
    ranked = [_ranking(shares[:, column], labels == column) for column in columns]

    def metrics(weights: Floats) -> Metrics:
        table = np.bincount(cells, weights, classes * classes).reshape(classes, classes)
        return _of_table(table.astype(np.float64)) | _areas([of(weights) for of in ranked])

    return metrics


def _of_table(table: Floats) -> Metrics:
    """Of a confusion matrix, rows as it is, columns as told."""
    total, right = table.sum(), np.trace(table)
    so, told = table.sum(axis=1), table.sum(axis=0)
    bottom = np.sqrt((total**2 - told @ told) * (total**2 - so @ so))
    found = 2 * np.diag(table) / np.maximum(so + told, 1)
    return {
        "accuracy": float(right / total),
        "mcc": float((right * total - so @ told) / bottom) if bottom else 0.0,
        "f1": float(found[1] if len(table) == _FEW else found[so + told > 0].mean()),
    }


def _of_several(shares: Floats, labels: Labels) -> Weighted:
    is_so, told = labels > 0.5, shares > 0.5
    right, both = (is_so == told).mean(axis=1), (is_so & told).astype(np.float64)
    either = is_so.astype(np.float64) + told
    ranked = [_ranking(shares[:, column], is_so[:, column]) for column in range(shares.shape[1])]

    def metrics(weights: Floats) -> Metrics:
        f1 = 2 * (weights @ both) / np.maximum(weights @ either, 1)
        found = {"accuracy": float(weights @ right / weights.sum()), "f1": float(f1.mean())}
        return found | _areas([of(weights) for of in ranked])

    return metrics


def _ranking(scores: Floats, is_so: npt.NDArray[np.bool_]) -> Callable[[Floats], tuple[float, float]]:
    """AUROC and AUPRC of one class against the others."""
    distinct, at = np.unique(scores, return_inverse=True)

    def areas(weights: Floats) -> tuple[float, float]:
        positive = np.bincount(at, weights * is_so, len(distinct))
        negative = np.bincount(at, weights * ~is_so, len(distinct))
        if not positive.any() or not negative.any():
            return float("nan"), float("nan")
        ranked = Ranked(positive, negative)
        return ranked.auroc(), ranked.average_precision()

    return areas


def _areas(found: list[tuple[float, float]]) -> Metrics:
    return {name: float(np.mean([one[at] for one in found])) for at, name in enumerate(("auroc", "auprc"))}


def _of_numbers(values: Floats, labels: Labels) -> Weighted:
    columns = [(values[:, i], labels[:, i].astype(np.float64)) for i in range(labels.shape[1])]
    orders = [(np.unique(one, return_inverse=True)[1], np.unique(other, return_inverse=True)[1])
              for one, other in columns]  # fmt: skip

    def metrics(weights: Floats) -> Metrics:
        total = weights.sum()
        errors = [float(weights @ (one - other) ** 2 / total) for one, other in columns]
        spreads = [float(weights @ (other - weights @ other / total) ** 2 / total) for _, other in columns]
        pearson = [_correlation(one, other, weights) for one, other in columns]
        spearman = [
            _correlation(_ranks(one, weights), _ranks(other, weights), weights) for one, other in orders
        ]
        shares = [
            1 - error / spread if spread else float("nan")
            for error, spread in zip(errors, spreads, strict=True)
        ]
        return {
            "pearson": float(np.mean(pearson)),
            "spearman": float(np.mean(spearman)),
            "r2": float(np.mean(shares)),
            "mse": float(np.mean(errors)),
        }

    return metrics


def _correlation(one: Floats, other: Floats, weights: Floats) -> float:
    total = weights.sum()
    one, other = one - weights @ one / total, other - weights @ other / total
    bottom = np.sqrt((weights @ one**2) * (weights @ other**2))
    return float(weights @ (one * other) / bottom) if bottom else float("nan")


def _ranks(at: npt.NDArray[np.int64], weights: Floats) -> Floats:
    """Mean ranks of values, told by their places among the distinct ones, in which each counts so often."""
    counts = np.bincount(at, weights)
    ranks: Floats = (np.cumsum(counts) - counts / 2)[at]
    return ranks
