"""From labels as an input has them to numbers: which kind they are, and what each is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from janusdna.labels import LabelKind
from janusdna_cli.errors import InputError

__all__ = ["Encoding", "KindChoice", "encoding_of"]

KindChoice = Literal["auto", "binary", "multiclass", "multilabel", "regression"]
_MOST_CLASSES = 1000
# Whole numbers of more values than this, or of none in between, are measured and not named.
_MOST_NUMBERED = 20
_TRUTHS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


@dataclass(frozen=True)
class Encoding:
    """What labels mean.

    Attributes:
        kind: Of labels.
        names: Classes in the order of their numbers; columns of several labels or of a regression.
    """

    kind: LabelKind
    names: tuple[str, ...]

    def encode(self, labels: Sequence[str]) -> npt.NDArray[np.generic]:
        """Numbers of labels: (n,) int64 of classes, (n, names) float32 of the others.

        Raises:
            KeyError: At a label that is none of the classes.
        """
        if self.kind in ("binary", "multiclass"):
            numbers = {name: number for number, name in enumerate(self.names)}
            return np.array([numbers[label] for label in labels], dtype=np.int64)
        rows: list[list[float]]
        if self.kind == "multilabel":
            rows = [[_TRUTHS[part.strip().lower()] for part in label.split(",")] for label in labels]
        else:
            rows = [[float(part) for part in label.split(",")] for label in labels]
        return np.array(rows, dtype=np.float32).reshape(len(labels), len(self.names))

    def told(self) -> str:
        """In a line, for a person."""
        if self.kind == "regression":
            return f"regression of {', '.join(self.names)}"
        what = {"binary": "two classes", "multiclass": f"{len(self.names)} classes"}.get(
            self.kind, f"{len(self.names)} labels, each yes or no"
        )
        return f"{what}: {_listed(self.names)}"


def encoding_of(
    path: str, labels: Sequence[str], columns: Sequence[str], wanted: KindChoice = "auto"
) -> Encoding:
    """The encoding of labels.

    Args:
        path: The input, for messages.
        labels: All of them, those of several columns with commas between.
        columns: The columns that they come from.
        wanted: Their kind, or "auto" to tell it by what they are.

    Raises:
        InputError: They are not of the kind that is wanted, or there is only one class.
    """
    kind = _kind(labels, columns) if wanted == "auto" else wanted
    if kind == "regression":
        return Encoding(kind, tuple(columns))
    if kind == "multilabel":
        _check(path, labels, lambda part: part.strip().lower() in _TRUTHS, "0 or 1 in each column")
        return Encoding(kind, tuple(columns))
    names = _sorted(set(labels))
    if len(names) < 2:
        raise InputError(
            f"{path}: all labels are {names[0]!r}, expected two classes or more; pass another --label"
        )
    if kind == "binary" and len(names) > 2:
        raise InputError(
            f"{path}: --task binary: found {len(names)} classes ({_listed(names)}), expected two"
        )
    if len(names) > _MOST_CLASSES:
        raise InputError(
            f"{path}: found {len(names):,} classes, expected at most {_MOST_CLASSES:,}; "
            "pass --task regression for numbers, or another --label"
        )
    return Encoding("binary" if len(names) == 2 else "multiclass", tuple(names))


def is_number(label: str) -> bool:
    """Whether a label, or each of several, is a finite number."""
    try:
        return all(math.isfinite(float(part)) for part in label.split(","))
    except ValueError:
        return False


def _kind(labels: Sequence[str], columns: Sequence[str]) -> LabelKind:
    distinct = set(labels)
    if len(columns) > 1:
        parts = {part.strip().lower() for label in distinct for part in label.split(",")}
        return "multilabel" if parts <= set(_TRUTHS) else "regression"
    if len(distinct) <= 2:
        return "binary"
    if not all(map(is_number, distinct)):
        return "multiclass"
    values = sorted(float(label) for label in distinct)
    is_numbered = all(value == round(value) for value in values) and values[-1] - values[0] == len(values) - 1
    return "multiclass" if is_numbered and len(values) <= _MOST_NUMBERED else "regression"


def _check(path: str, labels: Sequence[str], holds: object, expected: str) -> None:
    for label in labels:
        for part in label.split(","):
            if not holds(part):  # type: ignore[operator]
                raise InputError(f"{path}: found the label {part!r}, expected {expected}")


def _sorted(names: set[str]) -> list[str]:
    """Numbers by their value, other names by their letters."""
    return sorted(names, key=float) if all(map(is_number, names)) else sorted(names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
