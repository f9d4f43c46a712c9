"""Writes the metrics of a pretraining run as they come: `metrics.jsonl` and TensorBoard's events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tensorboardX import SummaryWriter

from janusdna.training import Report
from janusdna_cli.training.metrics import EXPERT_USAGE, METRICS_FILE, STEP

__all__ = ["MetricsLog", "training_line", "validation_line"]

Line = dict[str, Any]


def training_line(step: int, report: Report, *, lr: float, tokens: int, tokens_per_second: float) -> Line:
    """What is written of a step."""
    shares = [share for stream in report.usage for layer in stream for share in layer if any(layer)]
    return {
        STEP: step,
        "loss": report.loss,
        "bits_per_base": report.bits_per_base,
        "accuracy": report.accuracy,
        "aux_loss": report.aux_loss,
        "lr": lr,
        "gradient_norm": report.gradient_norm,
        "tokens": tokens,
        "tokens_per_second": round(tokens_per_second, 1),
        "expert_share_min": min(shares, default=None),
        "expert_share_max": max(shares, default=None),
    }


def validation_line(step: int, report: Report) -> Line:
    """What is written of a validation after a step."""
    streams = zip(("forward", "backward"), report.usage, strict=True)
    used = {name: layers for name, layers in streams if any(map(any, layers))}
    return {
        STEP: step,
        "valid_loss": report.loss,
        "valid_bits_per_base": report.bits_per_base,
        "valid_accuracy": report.accuracy,
        "valid_windows": report.windows,
        EXPERT_USAGE: {name: [[round(share, 4) for share in layer] for layer in used[name]] for name in used},
    }


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
    with path.open("rb") as lines, aside.open("wb") as kept:
        for line in lines:
            if line.endswith(b"\n") and json.loads(line)[STEP] <= step:
                kept.write(line)
    aside.replace(path)
