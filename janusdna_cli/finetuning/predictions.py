"""The tables of predictions: those that `finetune` keeps, and those that `predict` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from janusdna.labels import LabelTask
from janusdna_cli.finetuning.data import LabelledData
from janusdna_cli.finetuning.results import Told
from janusdna_cli.labelled.item import KeyKind
from janusdna_cli.outputs.schemas import described

__all__ = ["kept_rows", "kept_schema", "key_fields", "prediction_fields", "predictions"]

Floats = npt.NDArray[np.float64]

# What tells an item from others, by what it is.
_KEYS: Mapping[KeyKind, Sequence[tuple[str, Any, str]]] = {
    "sequence": (("id", pa.string(), "as in the input, or the row's number there, from 1"),),
    "region": (
        ("chrom", pa.string(), "contig, as in the BED"),
        ("start", pa.int64(), "start of the region, 0-based"),
        ("end", pa.int64(), "end of the region, exclusive"),
        ("name", pa.string(), "name, as in the BED"),
    ),
    "variant": (
        ("chrom", pa.string(), "contig, as in the VCF"),
        ("pos", pa.int64(), "position, 1-based"),
        ("id", pa.string(), "identifier, as in the VCF"),
        ("ref", pa.string(), "REF, as in the VCF"),
        ("alt", pa.string(), "ALT, as in the VCF"),
    ),
}


def key_kind(keys: Mapping[str, Any]) -> KeyKind:
    """What an item is, by the names of its keys."""
    for kind, fields in _KEYS.items():
        if tuple(keys) == tuple(name for name, _, _ in fields):
            return kind
    raise ValueError(f"found keys {', '.join(keys)}")


def key_fields(kind: KeyKind) -> list[Any]:
    """Columns of what an item is told by."""
    return [described(name, of, meaning) for name, of, meaning in _KEYS[kind]]


def prediction_fields(task: LabelTask) -> list[Any]:
    """Columns of what is predicted: `pred`, and `p_LABEL` and `logit_LABEL` of classes and labels."""
    if task.kind == "regression":
        return [
            described(name, pa.float32(), f"{label} as predicted, in the units of the labels")
            for name, label in zip(_numbers(task), task.labels, strict=True)
        ]
    meaning = "the likeliest class" if task.kind != "multilabel" else "labels above 0.5, with commas between"
    shares = [described(f"p_{label}", pa.float32(), f"probability of {label}") for label in task.labels]
    logits = [described(f"logit_{label}", pa.float32(), f"output of {label}") for label in task.labels]
    return [described("pred", pa.string(), meaning), *shares, *logits]


def predictions(task: LabelTask, values: Floats, outputs: Floats | None) -> dict[str, Any]:
    """The columns of `prediction_fields`.

    Args:
        task: What is told.
        values: As `Told` has them; rows of NaN are null.
        outputs: Likewise; None for null.
    """
    is_missing: npt.NDArray[np.bool_] = np.asarray(np.isnan(values).any(axis=1))

    def column(numbers: npt.NDArray[Any], missing: npt.NDArray[np.bool_]) -> Any:
        return pa.array(numbers.astype(np.float32), mask=missing)

    if task.kind == "regression":
        return {name: column(values[:, i], is_missing) for i, name in enumerate(_numbers(task))}
    shares = {f"p_{label}": column(values[:, i], is_missing) for i, label in enumerate(task.labels)}
    nothing = np.ones(len(values), bool)
    logits = {
        f"logit_{label}": column(values[:, i], nothing)
        if outputs is None
        else column(outputs[:, i], is_missing)
        for i, label in enumerate(task.labels)
    }
    return {"pred": _named(task, values, is_missing)} | shares | logits


def kept_schema(kind: KeyKind, task: LabelTask) -> Any:
    """Columns of `predictions.parquet`."""
    return pa.schema(
        [
            described("method", pa.string(), "whose predictions they are", nullable=False),
            described("seed", pa.int64(), "of the training", nullable=False),
            described("fold", pa.int64(), "which is tested, from 1"),
            described("part", pa.string(), "valid or test", nullable=False),
            *key_fields(kind),
            described("label", pa.string(), "as in the input", nullable=False),
            *prediction_fields(task),
        ]
    )


def kept_rows(data: LabelledData, task: LabelTask, told: Told) -> dict[str, Any]:
    """The columns of `kept_schema`."""
    items = [data.items[place] for place in told.places]
    count = len(items)
    of_all = {
        "method": [told.method] * count,
        "seed": [told.trial.seed] * count,
        "fold": [told.trial.fold] * count,
        "part": [told.part] * count,
        "label": [item.label for item in items],
    }
    keys = {name: [item.keys[name] for item in items] for name in data.items[0].keys}
    return of_all | keys | predictions(task, told.values, told.outputs)


def _numbers(task: LabelTask) -> list[str]:
    return ["pred"] if len(task.labels) == 1 else [f"pred_{label}" for label in task.labels]


def _named(task: LabelTask, values: Floats, missing: npt.NDArray[np.bool_]) -> Any:
    if task.kind == "multilabel":
        told = [",".join(task.labels[i] for i in np.flatnonzero(row > 0.5)) for row in values]
    else:
        told = [task.labels[i] for i in np.nan_to_num(values, nan=0.0).argmax(axis=1)]
    return pa.array(told, pa.string(), mask=missing)
