"""What a run found, as `report.json` has it and as `report.md` tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from janusdna.labels import LabelTask
from janusdna_cli.finetuning.data import LabelledData, Trial
from janusdna_cli.finetuning.metrics import METRICS, Predicted, intervals, measured
from janusdna_cli.finetuning.results import Told
from janusdna_cli.labelled.splitting import PARTS

__all__ = ["as_markdown", "as_record", "headline"]

_MEANINGS = {
    "fine-tuned": "the model, trained on these labels",
    "from scratch": "the same network and training, begun with untrained weights",
    "probe": "a linear model of the pretrained model's embeddings, which are not trained",
    "distance": "a linear model of the distance between gene and variant alone",
    "k-mers": "a linear model of how often words of one to six bases occur",
}


def as_record(
    data: LabelledData,
    task: LabelTask,
    trials: Sequence[Trial],
    found: Sequence[Told],
    facts: Mapping[str, Any],
    notes: Sequence[str],
) -> dict[str, Any]:
    """All of a report as JSON values.

    Args:
        data: What was learned from.
        task: What is told.
        trials: Of the run.
        found: What each method told, in each trial.
        facts: What the run was started with.
        notes: What a reader should know.
    """
    methods = list(dict.fromkeys(told.method for told in found))
    return {
        **facts,
        "task": {"kind": task.kind, "labels": list(task.labels)},
        "sequences": {
            trial.name: {part: len(places) for part, places in trial.split.parts().items()}
            for trial in trials
        },
        "passed_over": dict(data.passed_over),
        "shared": {
            f"{one} and {other}": count
            for trial in trials[:1]
            for (one, other), count in data.leaks(trial.split).items()
        },
        "test": {method: _tested(data, task, _of(found, method, "test")) for method in methods},
        "valid": {method: _measured(data, task, _of(found, method, "valid")) for method in methods},
        "notes": list(notes),
    }


def _of(found: Sequence[Told], method: str, part: str) -> list[Told]:
    return [told for told in found if told.method == method and told.part == part]


def _tested(data: LabelledData, task: LabelTask, found: Sequence[Told]) -> dict[str, Any]:
    """Metrics over the seeds, and of each trial; the folds of a seed are tested as one."""
    seeds = sorted({told.trial.seed for told in found})
    samples = [_sample(data, [told for told in found if told.trial.seed == seed]) for seed in seeds]
    each = [measured(task.kind, sample) for sample in samples]
    means = intervals(task.kind, samples) if samples else {}
    return {
        "metrics": {
            name: {"value": mean.value, "low": mean.low, "high": mean.high, "spread": _spread(each, name)}
            for name, mean in means.items()
        },
        "trials": _measured(data, task, found),
    }


def _measured(data: LabelledData, task: LabelTask, found: Sequence[Told]) -> dict[str, Any]:
    return {told.trial.name: measured(task.kind, _sample(data, [told])) for told in found}


def _sample(data: LabelledData, found: Sequence[Told]) -> Predicted:
    places = np.concatenate([told.places for told in found])
    return Predicted(np.concatenate([told.values for told in found]), data.labels(places))


def _spread(each: Sequence[Mapping[str, float]], name: str) -> float | None:
    """Standard deviation over the seeds."""
    return float(np.std([one[name] for one in each], ddof=1)) if len(each) > 1 else None


def headline(record: Mapping[str, Any]) -> str:
    """The first metrics of each method on the test sequences, in a line."""
    name = METRICS[record["task"]["kind"]][0]
    told = [
        f"{method} {_with_interval(tested['metrics'][name])}"
        for method, tested in record["test"].items()
        if tested["metrics"]
    ]
    return f"test {name}: {', '.join(told)}" if told else "nothing was tested"


def as_markdown(record: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """A report for people, of `as_record`, with pictures by their names."""
    names = METRICS[record["task"]["kind"]]
    parts = [
        f"# {record['title']}",
        _intro(record),
        "## On the test sequences",
        _table(record, names),
        _methods(record),
        _each_trial(record, names),
        "\n\n".join(f"![{caption}]({name})" for name, caption in pictures.items()),
        "## Sequences",
        _sequences(record),
        *(["## To be known", "\n".join(f"- {note}" for note in record["notes"])] if record["notes"] else []),
        "## How it was made",
        _made(record),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _intro(record: Mapping[str, Any]) -> str:
    task = record["task"]
    what = {
        "binary": "Two classes", "multiclass": f"{len(task['labels'])} classes",
        "multilabel": f"{len(task['labels'])} labels, each yes or no", "regression": "A regression",
    }[task["kind"]]  # fmt: skip
    count = len(record["sequences"])
    trainings = "One training." if count == 1 else f"{count} trainings."
    return f"{what}: {', '.join(task['labels'][:20])}. {trainings} Labels from `{record['input']}`."


def _table(record: Mapping[str, Any], names: Sequence[str]) -> str:
    rows = [_row("", *names), _row("---", *("---:" for _ in names))]
    for method, tested in record["test"].items():
        if tested["metrics"]:
            rows.append(_row(method, *(_with_interval(tested["metrics"][name]) for name in names)))
    if len(rows) == 2:
        return "There were none: nothing was kept for a test."
    told = "In brackets the middle 95 % over 1,000 resamples of the test sequences (percentile bootstrap)"
    if any(
        metric["spread"] is not None for one in record["test"].values() for metric in one["metrics"].values()
    ):
        told += "; a value is the mean over the seeds, ± their standard deviation"
    return "\n".join(rows) + f"\n\n{told}."


def _with_interval(metric: Mapping[str, Any]) -> str:
    spread = "" if metric["spread"] is None else f" ± {metric['spread']:.3f}"
    return f"{_number(metric['value'])}{spread} [{_number(metric['low'])}, {_number(metric['high'])}]"


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


def _methods(record: Mapping[str, Any]) -> str:
    return "\n".join(f"- {method}: {_MEANINGS[method]}" for method in record["test"])


def _each_trial(record: Mapping[str, Any], names: Sequence[str]) -> str:
    if len(record["sequences"]) == 1:
        return ""
    rows = [_row("", "", *names), _row("---", "---", *("---:" for _ in names))]
    for method, tested in record["test"].items():
        for trial, metrics in tested["trials"].items():
            rows.append(_row(method, trial, *(_number(metrics[name]) for name in names)))
    return "### Each training\n\n" + "\n".join(rows)


def _sequences(record: Mapping[str, Any]) -> str:
    rows = [_row("", *PARTS), _row("---", *("---:" for _ in PARTS))]
    rows += [
        _row(trial, *(f"{counts[part]:,}" for part in PARTS)) for trial, counts in record["sequences"].items()
    ]
    told = [
        f"- Sequences that are in {parts}, on either strand: {count:,}."
        for parts, count in record["shared"].items()
    ]
    told += [f"- Left out for `{status}`: {count:,}." for status, count in record["passed_over"].items()]
    return "\n".join(rows) + (
        "\n\n" + "\n".join(told) if told else "\n\nNo sequence is in two parts, on either strand."
    )


def _made(record: Mapping[str, Any]) -> str:
    model = record["model"]
    return "\n".join(
        [
            f"- janusdna {record['version']}",
            f"- model {model['name']}, sha256 `{model['sha256']}`",
            f"- `{record['command']}`",
        ]
    )


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
