"""A suite's table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["as_markdown"]


def as_markdown(record: Mapping[str, Any]) -> str:
    """What `benchmark.json` holds, as a page."""
    rows = record["tasks"]
    methods = list(dict.fromkeys(method for row in rows for method in row["found"]))
    others = list(dict.fromkeys(model for row in rows for model in row["published"]))
    heads = ["task", "metric", *methods, *(f"{model} (paper)" for model in others), "train", "test"]
    lines = [_line(heads), _line(["---", "---", *["---:"] * (len(heads) - 2)])]
    for row in rows:
        cells = [row["task"], row["metric"]]
        cells += [_found(row["found"].get(method)) for method in methods]
        cells += [f"{row['published'][model]:.3f}" if model in row["published"] else "" for model in others]
        cells += [f"{row['sequences'][part]:,}" for part in ("train", "test")]
        lines.append(_line(cells))
    seeds = ", ".join(map(str, record["seeds"]))
    told = (
        f"Means over the seeds {seeds}, ± their standard deviation; in brackets the middle 95 % over "
        "resamples of the test sequences."
    )
    return (
        "\n\n".join(
            part
            for part in (f"# {record['title']}", "\n".join(lines), told, _notes(record), _chosen(rows))
            if part
        )
        + "\n"
    )


def _notes(record: Mapping[str, Any]) -> str:
    notes = list(record["notes"])
    if (most := record["settings"].get("max_train")) is not None:
        notes.append(f"Not the whole of the training sequences: {most:,} of each task at most (--max-train).")
    for row in record["tasks"]:
        notes += [
            f"{row['task']}: sequences that are in {parts}, on either strand: {count:,}."
            for parts, count in row["shared"].items()
        ]
    return "\n".join(f"- {note}" for note in notes)


def _chosen(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was tried, and what was taken."""
    lines = []
    for row in rows:
        tried = "; ".join(f"{name}: {_number(value)}" for name, value in row["validated"].items())
        lines.append(f"- {row['task']}: lr {row['lr']:g}, batch {row['batch']} ({tried})")
    return "## Chosen by validation\n\n" + "\n".join(lines)


def _found(metric: Mapping[str, Any] | None) -> str:
    if metric is None:
        return ""
    spread = "" if metric["spread"] is None else f" ± {metric['spread']:.3f}"
    return f"{_number(metric['value'])}{spread} [{_number(metric['low'])}, {_number(metric['high'])}]"


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
