"""Linear models of features, by scikit-learn: logistic regression of classes, ridge regression of numbers.

Their strength, C or alpha, is chosen by cross-validation within what they are fitted to.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from janusdna.labels import LabelKind

__all__ = ["LinearModel", "fit_linear"]

_STRENGTHS = tuple(10.0**power for power in range(-4, 3))
_FOLDS = 5
_STEPS = 2000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LinearModel:
    """What was fitted.

    Attributes:
        strengths: That were chosen: C of classes, alpha of numbers; one, or one a label.
        converged: Whether the last step of each fit was as small as it should be.
        values: Shares of classes or labels, or numbers, (n, outputs), of features (n, width).
    """

    strengths: tuple[float, ...]
    converged: bool
    values: Callable[[Any], Floats]


def fit_linear(
    kind: LabelKind, features: Any, labels: npt.NDArray[Any], *, outputs: int, seed: int
) -> LinearModel:
    """A linear model of some features, dense or sparse, (n, width).

    Args:
        kind: Of the labels.
        features: Scaled here to a spread of one.
        labels: Classes (n,), or several labels or numbers (n, outputs).
        outputs: How many classes, labels or numbers there are.
        seed: Of the folds.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as said:
        # Of defaults of LogisticRegressionCV that change: either will do.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("always", ConvergenceWarning)
        if kind in ("binary", "multiclass"):
            fitted = [_classes(features, labels, outputs, seed)]
        else:
            of_column = _numbers if kind == "regression" else _yes_or_no
            fitted = [of_column(features, labels[:, i], seed) for i in range(outputs)]
    converged = not any(issubclass(one.category, ConvergenceWarning) for one in said)
    strengths = tuple(strength for strength, _ in fitted)
    return LinearModel(
        strengths, converged, lambda wanted: np.concatenate([values(wanted) for _, values in fitted], axis=1)
    )


_Fitted = tuple[float, Callable[[Any], Floats]]


def _classes(features: Any, labels: npt.NDArray[np.int64], outputs: int, seed: int) -> _Fitted:
    """Each strength begins where the last one ended, which takes a third of the time of fits on their own."""
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
    from sklearn.model_selection import StratifiedKFold

    folds = min(_FOLDS, int(np.bincount(labels)[np.unique(labels)].min()))
    if folds > 1:
        cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
        model = LogisticRegressionCV(Cs=_STRENGTHS, cv=cut, scoring="neg_log_loss", max_iter=_STEPS)
    else:
        model = LogisticRegression(max_iter=_STEPS)
    found = _scaled(features, model).fit(features, labels)
    strength = model.C if folds <= 1 else np.ravel(model.C_)[0]

    def values(wanted: Any) -> Floats:
        shares = np.zeros((wanted.shape[0], outputs))
        shares[:, found.classes_] = found.predict_proba(wanted)
        return shares

    return float(strength), values


def _yes_or_no(features: Any, labels: npt.NDArray[Any], seed: int) -> _Fitted:
    """The share of yes of one label among several."""
    is_so = (labels > 0.5).astype(np.int64)
    if is_so.min() == is_so.max():
        return float("nan"), lambda wanted: np.full((wanted.shape[0], 1), float(is_so[0]))
    strength, values = _classes(features, is_so, 2, seed)
    return strength, lambda wanted: values(wanted)[:, 1:]


def _numbers(features: Any, labels: npt.NDArray[Any], seed: int) -> _Fitted:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, KFold

    folds = min(_FOLDS, len(labels))
    model: Any = Ridge()
    if folds > 1:
        cut = KFold(folds, shuffle=True, random_state=seed)
        strengths = {"alpha": [1 / strength for strength in _STRENGTHS]}
        model = GridSearchCV(model, strengths, scoring="neg_mean_squared_error", cv=cut)
    found = _scaled(features, model).fit(features, labels)
    strength = model.alpha if folds <= 1 else model.best_params_["alpha"]
    return float(strength), lambda wanted: found.predict(wanted)[:, None]


def _scaled(features: Any, model: Any) -> Any:
    """A model of features that are scaled to a spread of one, and of dense ones to a mean of zero."""
    from scipy.sparse import issparse
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(with_mean=not issparse(features)), model)
