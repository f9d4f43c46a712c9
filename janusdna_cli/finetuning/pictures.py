"""Pictures of a report: how the training went, and how well the test sequences are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from janusdna.labels import LabelTask
from janusdna_cli.finetuning.data import LabelledData
from janusdna_cli.finetuning.results import Told
from janusdna_cli.outputs.pictures import COLOURS, GREY, styled, write_picture
from janusdna_cli.training.metrics import METRICS_FILE, STEP, readable_lines

__all__ = ["PICTURES", "draw_pictures"]

PICTURES = ("curves.png", "roc.png", "precision_recall.png", "confusion.png", "scatter.png")

_SIDE = 4.6
_MOST_NAMED = 12
_LONGEST_NAME = 18
_MOST_POINTS = 20_000
_MOST_CURVES = len(COLOURS)

_Drawn = Callable[[], Figure | None]


def draw_pictures(folder: Path, data: LabelledData, task: LabelTask, found: Sequence[Told]) -> dict[str, str]:
    """Draw what there is to a run; pictures that are there are replaced.

    Args:
        folder: Of the run.
        data: What was learned from.
        task: What is told.
        found: What each method told, in each trial.

    Returns:
        Names of the files, with what each shows.

    Raises:
        InputError: If one cannot be written.
    """
    tested = [told for told in found if told.part == "test"]
    pictures: dict[str, tuple[str, _Drawn]] = {
        "curves.png": (
            "Loss of each step, and what was found on the held-out sequences",
            lambda: _curves(folder),
        )
    }
    if tested and task.kind == "regression":
        pictures["scatter.png"] = ("Predictions of the test sequences", lambda: _scatter(data, task, tested))
    elif tested:
        pictures["roc.png"] = ("ROC curves", lambda: _roc(data, task, tested))
        pictures["precision_recall.png"] = (
            "Precision and recall",
            lambda: _precision_recall(data, task, tested),
        )
        if task.kind != "multilabel":
            pictures["confusion.png"] = (
                "Classes as they are and as told",
                lambda: _confusion(data, task, tested),
            )
    drawn = {}
    for name, (caption, draw) in pictures.items():
        with styled():
            figure = draw()
        if figure is not None:
            path = str(folder / name)
            write_picture(figure, path)
            drawn[name] = caption
    return drawn


def _curves(folder: Path) -> Figure | None:
    """Of all trainings of the run, those of the baselines aside."""
    runs = [folder] if (folder / METRICS_FILE).exists() else sorted((folder / "trials").glob("*"))
    series = [[line.record for line in readable_lines(run / METRICS_FILE)] for run in runs]
    if not any(series):
        return None
    names = [name for name in ("valid_auroc", "valid_accuracy", "valid_pearson") if _has(series, name)]
    figure = Figure(figsize=(_SIDE * (1 + len(names[:1])), 3.6), layout="constrained")
    panels = np.ravel(figure.subplots(1, 1 + len(names[:1]), squeeze=False))
    for name, axes in zip(["loss", *names[:1]], panels, strict=True):
        for at, records in enumerate(series):
            points = [(one[STEP], one[name]) for one in records if one.get(name) is not None]
            style = {"marker": "o", "markersize": 3.5} if name != "loss" else {"linewidth": 0.9}
            axes.plot(*zip(*points, strict=True), color=COLOURS[at % len(COLOURS)], **style)
        axes.set_title("loss of each step" if name == "loss" else f"held out: {_metric(name)}")
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    return figure


def _has(series: Sequence[Sequence[Mapping[str, Any]]], name: str) -> bool:
    return any(one.get(name) is not None for records in series for one in records)


def _metric(name: str) -> str:
    return {"auroc": "AUROC", "pearson": "Pearson's r"}.get(
        name.removeprefix("valid_"), name.removeprefix("valid_")
    )


def _roc(data: LabelledData, task: LabelTask, tested: Sequence[Told]) -> Figure | None:
    from sklearn.metrics import roc_curve

    if not (curves := _one_by_one(data, task, tested)):
        return None
    figure, axes = _square("share of others taken for it", "share that is found")
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.8, linestyle=(0, (5, 3)), label="chance")
    for name, is_so, shares, style in curves:
        wrong, right, _ = roc_curve(is_so, shares)
        axes.plot(wrong, right, label=name, **style)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return figure


def _precision_recall(data: LabelledData, task: LabelTask, tested: Sequence[Told]) -> Figure | None:
    from sklearn.metrics import precision_recall_curve

    if not (curves := _one_by_one(data, task, tested)):
        return None
    figure, axes = _square("recall", "precision")
    for name, is_so, shares, style in curves:
        precision, recall, _ = precision_recall_curve(is_so, shares)
        axes.plot(recall, precision, label=name, **style)
        axes.axhline(is_so.mean(), color=style["color"], linewidth=0.7, linestyle=(0, (5, 3)))
    axes.legend(loc="lower left", frameon=False, fontsize=9)
    return figure


def _one_by_one(
    data: LabelledData, task: LabelTask, tested: Sequence[Told]
) -> list[tuple[str, Any, Any, Any]]:
    """Curves to draw: of two classes one a method, of more one a class of the first method.

    Each with its name, whether it is so, shares, style; trials are taken together.
    """
    methods = list(dict.fromkeys(told.method for told in tested))
    is_binary = task.kind == "binary"
    curves = []
    for method in methods if is_binary else methods[:1]:
        values, labels = _together(data, [told for told in tested if told.method == method])
        so = np.eye(task.outputs)[labels] if labels.ndim == 1 else labels
        for column in [1] if is_binary else range(min(task.outputs, _MOST_CURVES)):
            if 0 < so[:, column].mean() < 1:
                name = method if is_binary else _short(task.labels[column])
                curves.append((name, so[:, column], values[:, column]))
    styles = [{"color": COLOURS[at % len(COLOURS)], "linewidth": 1.6} for at in range(len(curves))]
    return [(*curve, style) for curve, style in zip(curves, styles, strict=True)]


def _confusion(data: LabelledData, task: LabelTask, tested: Sequence[Told]) -> Figure | None:
    from sklearn.metrics import confusion_matrix

    if task.outputs > _MOST_NAMED:
        return None
    values, labels = _together(data, [told for told in tested if told.method == tested[0].method])
    counts = confusion_matrix(labels, values.argmax(axis=1), labels=range(task.outputs))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(_SIDE, 0.62 * task.outputs + 1.6)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    for row, column in np.ndindex(counts.shape):
        text = f"{counts[row, column]:,}\n{shares[row, column]:.0%}"
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    names = [_short(label) for label in task.labels]
    turned = 45 if max(map(len, names)) > 5 else 0
    axes.set_xticks(range(len(names)), names, rotation=turned, ha="right" if turned else "center")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("as told")
    axes.set_ylabel("as it is")
    return figure


def _scatter(data: LabelledData, task: LabelTask, tested: Sequence[Told]) -> Figure:
    values, labels = _together(data, [told for told in tested if told.method == tested[0].method])
    count = min(task.outputs, _MOST_CURVES)
    figure = Figure(figsize=(_SIDE * count, _SIDE), layout="constrained")
    kept = slice(None, None, -(-len(labels) // _MOST_POINTS))
    for at, axes in enumerate(np.ravel(figure.subplots(1, count, squeeze=False))):
        told, is_so = values[kept, at], labels[kept, at]
        axes.scatter(is_so, told, s=9, alpha=0.5, color=COLOURS[0], linewidths=0)
        ends = min(told.min(), is_so.min()), max(told.max(), is_so.max())
        axes.plot(ends, ends, color=GREY, linewidth=0.8, linestyle=(0, (5, 3)))
        axes.set_xlabel(f"{_short(task.labels[at])} as it is")
        axes.set_ylabel("as told")
    return figure


def _together(data: LabelledData, told: Sequence[Told]) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    places = np.concatenate([one.places for one in told])
    return np.concatenate([one.values for one in told]), data.labels(places)


def _square(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_SIDE, _SIDE), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y, aspect="equal")
    return figure, axes


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
