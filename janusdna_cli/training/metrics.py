"""The metrics of a training: `metrics.jsonl`, one JSON object a line.

Facts of the format:
    - A line holds `step` and the fields of `TRAINING_FIELDS`, or `step` and those of `VALIDATION_FIELDS`,
      `EXPERT_USAGE` and `BITS_BY_KIND`. A field that is missing or null was not measured; fields of other
      names are left alone.
    - A run that was resumed may repeat steps: the later line of a step counts.
    - A last line without its line feed that cannot be read is being written, or was when the run was
      killed: it is left out. So is, with a warning, any other line that is no object with a step: a power cut
      leaves such.
"""

from __future__ import annotations

import json
import logging
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from janusdna_cli.errors import InputError, RecordError

__all__ = [
    "BITS_BY_KIND",
    "EXPERT_USAGE",
    "METRICS_FILE",
    "STEP",
    "TRAINING_FIELDS",
    "VALIDATION_FIELDS",
    "ExpertUsage",
    "Line",
    "Metrics",
    "Series",
    "read_metrics",
    "readable_lines",
]

METRICS_FILE = "metrics.jsonl"
STEP = "step"
TRAINING_FIELDS = (
    "loss",
    "bits_per_base",
    "accuracy",
    "aux_loss",
    "lr",
    "gradient_norm",
    "tokens",
    "tokens_per_second",
    "expert_share_min",
    "expert_share_max",
)
VALIDATION_FIELDS = ("valid_loss", "valid_bits_per_base", "valid_accuracy", "valid_windows")
EXPERT_USAGE = "valid_expert_usage"
BITS_BY_KIND = "valid_bits_by_kind"

_LAST_STEP = 2**53  # beyond it not every whole number is a float64
_SHOWN = 40

Floats = npt.NDArray[np.float64]
Line = dict[str, Any]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Series:
    """What was measured at some steps.

    Attributes:
        steps: (n,) int64, rising.
        values: For each field (n,) float64, NaN where it was not measured or is not finite.
    """

    steps: npt.NDArray[np.int64]
    values: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True)
class ExpertUsage:
    """How the tokens of a validation went to the experts.

    Attributes:
        step: When.
        shares: For each stream (layers with experts, experts), each row of sum 1.
    """

    step: int
    shares: Mapping[str, Floats]


@dataclass(frozen=True)
class Metrics:
    """All that `metrics.jsonl` tells.

    Attributes:
        training: `TRAINING_FIELDS` of the steps.
        validation: `VALIDATION_FIELDS` of the steps at which was validated.
        usage: That of the last validation that tells it.
    """

    training: Series
    validation: Series
    usage: ExpertUsage | None


def read_metrics(run: str | Path) -> Metrics:
    """Reads the metrics of a run.

    Args:
        run: The folder that `pretrain` writes.

    Raises:
        InputError: There is no such folder, it has no metrics, or these have no step.
        RecordError: A field of a line is not what it should be.
    """
    path = Path(run) / METRICS_FILE
    _check_present(Path(run), path)
    found = _Found()
    for line in readable_lines(path):
        try:
            found.take(line.record)
        except ValueError as error:
            raise RecordError(str(path), f"line {line.number}", str(error)) from None
    if not (found.training.steps or found.validation.steps):
        raise InputError(
            f"{path}: found no step, expected a line a step; plot when the run has made its first"
        )
    return Metrics(found.training.series(), found.validation.series(), found.usage)


def _check_present(run: Path, path: Path) -> None:
    told = "pass the folder that `janusdna pretrain` writes, or a table of scores"
    if not run.exists():
        raise InputError(f"{run}: there is no such folder; {told}")
    if not run.is_dir():
        raise InputError(f"{run}: is not a folder; {told}")
    if not path.exists():
        raise InputError(f"{run}: found no {METRICS_FILE} in it; {told}")


class _ReadLine(NamedTuple):
    """A line with its number, from 1, its bytes without what ends it, and what it holds."""

    number: int
    text: bytes
    record: Line


def readable_lines(path: Path) -> Iterator[_ReadLine]:
    """The lines that tell of a step; which do not is said after the last one."""
    damaged = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            record = _record(line)
            if record is not None:
                yield _ReadLine(number, line.strip(), record)
            elif line.endswith(b"\n"):
                damaged.append(number)
            else:
                logger.info("%s: line %d is half-written and left out", path, number)
    if damaged:
        more = (
            f" and {len(damaged) - 1:,} more cannot be read and are"
            if len(damaged) > 1
            else " cannot be read and is"
        )
        logger.warning("%s: line %d%s left out", path, damaged[0], more)


def _record(line: bytes) -> Line | None:
    try:
        record = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    step = record.get(STEP) if isinstance(record, dict) else None
    return record if type(step) is int and 0 <= step <= _LAST_STEP else None


class _Found:
    """What the lines read so far come to. Its methods raise ValueError, with what is wrong with a line."""

    def __init__(self) -> None:
        self.training = _Columns(TRAINING_FIELDS)
        self.validation = _Columns(VALIDATION_FIELDS)
        self.usage: ExpertUsage | None = None

    def take(self, record: Line) -> None:
        step = record[STEP]
        self.training.take(step, record)
        self.validation.take(step, record)
        usage = record.get(EXPERT_USAGE)
        if usage is not None and (self.usage is None or step >= self.usage.step):
            self.usage = ExpertUsage(step, _shares(usage))


class _Columns:
    """Fields of the lines that have any of them, in the order of the file."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.steps = array("q")
        self._values = {field: array("d") for field in fields}

    def take(self, step: int, record: Mapping[str, object]) -> None:
        if self._values.keys().isdisjoint(record):
            return
        found = [_number(record.get(field), field) for field in self._values]
        self.steps.append(step)
        for values, value in zip(self._values.values(), found, strict=True):
            values.append(value)

    def series(self) -> Series:
        steps = np.array(self.steps, np.int64)
        kept = _last_of_each(steps)
        return Series(steps[kept], {field: np.array(found)[kept] for field, found in self._values.items()})


def _last_of_each(steps: npt.NDArray[np.int64]) -> Any:
    """Which entries to keep, in the order of their steps: the last one of each."""
    if (np.diff(steps) > 0).all():
        return slice(None)
    _, from_end = np.unique(steps[::-1], return_index=True)
    return len(steps) - 1 - from_end


def _number(value: object, name: str) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"found {name} {_short(value)}, expected a number")
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _shares(usage: object) -> dict[str, Floats]:
    if not isinstance(usage, dict):
        raise ValueError(f"found {EXPERT_USAGE} {_short(usage)}, expected shares for each stream")
    return {stream: _table(rows, f"{EXPERT_USAGE} of {stream}") for stream, rows in usage.items() if rows}


def _table(rows: object, name: str) -> Floats:
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and row and len(row) == len(rows[0]) for row in rows
    ):
        raise ValueError(f"found {name} {_short(rows)}, expected for each layer as many shares")
    return np.array([[_number(share, name) for share in row] for row in rows])


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
