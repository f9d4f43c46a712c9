"""Writes the metrics of a training as they come: `metrics.jsonl` and TensorBoard's events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tensorboardX import SummaryWriter

from janusdna_cli.training.metrics import EXPERT_USAGE, METRICS_FILE, STEP, Line, readable_lines

__all__ = ["MetricsLog", "training_line", "validation_line"]


def training_line(
    step: int,
    fields: Line,
    *,
    lr: float,
    gradient_norm: float | None,
    tokens: int,
    tokens_per_second: float,
) -> Line:
    """What is written of a step."""
    of_all = {"lr": lr, "gradient_norm": gradient_norm, "tokens": tokens}
    return {STEP: step} | fields | of_all | {"tokens_per_second": round(tokens_per_second, 1)}


def validation_line(step: int, fields: Line) -> Line:
    """What is written of a validation after a step."""
    return {STEP: step} | fields


class MetricsLog:
    """Both files, each line written through at once.

    Args:
        run: The run's folder.
        step: Where the run goes on: lines of later steps, from before it was killed, are taken out.
    """

    def __init__(self, run: Path, step: int = 0) -> None:
        path = run / METRICS_FILE
        _keep_up_to(path, step)
        self._lines = path.open("a", encoding="utf-8")
        self._events = SummaryWriter(logdir=str(run), purge_step=step + 1 if step else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._events.close()

    def write(self, line: Line) -> None:
        """Add a line."""
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        for name, value in line.items():
            if isinstance(value, int | float) and name != STEP:
                kind = "validation" if name.startswith("valid_") else "training"
                self._events.add_scalar(f"{kind}/{name.removeprefix('valid_')}", value, line[STEP])
        for name, share in _usage(line.get(EXPERT_USAGE, {})):
            self._events.add_scalar(name, share, line[STEP])


def _usage(streams: Mapping[str, list[list[float]]]) -> list[tuple[str, float]]:
    return [
        (f"experts/{stream}/layer{layer}/{expert}", share)
        for stream, layers in streams.items()
        for layer, shares in enumerate(layers)
        for expert, share in enumerate(shares)
    ]


def _keep_up_to(path: Path, step: int) -> None:
    if not path.exists():
        return
    aside = path.with_name(f".{path.name}")
    with aside.open("wb") as kept:
        for line in readable_lines(path):
            if line.record[STEP] <= step:
                kept.write(line.text + b"\n")
    aside.replace(path)
