"""Folders of fine-tuning runs and of probes: what was started, how far it is, what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from janusdna.errors import CheckpointError
from janusdna.json_object import read_json
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.provenance import facts_of
from janusdna_cli.origins.training_runs import Resumption, config_of
from janusdna_cli.training.metrics import METRICS_FILE, STEP, Line, readable_lines

__all__ = ["origin_of_label_run"]

_TRIALS, _MODEL, _REPORT = "trials", "model", "report.json"
_TOLD = ("version", "command", "input")
_TOLD_SETTINGS = ("label", "model", "train", "head", "pool", "rc", "epochs", "lr", "batch")
_VALIDATED = "valid_"


class _Training(NamedTuple):
    """One training of a run.

    Attributes:
        name: Its seed and fold.
        step: Up to which it can go on, or is made.
        steps: Of the whole.
        best: The line of its best validation.
    """

    name: str
    step: int
    steps: int | None
    best: Line | None

    @property
    def told(self) -> str:
        """For a person."""
        best = self.best
        whole = "" if self.steps is None else f" of {self.steps:,}"
        measured = "" if best is None else f", best at step {best[STEP]:,} ({_measured(best)})"
        return f"{self.name}: step {self.step:,}{whole}{measured}"


def origin_of_label_run(folder: Path) -> Origin:
    """What a run was started with, its trainings, what was measured, and whether it goes on."""
    config, report = config_of(folder), _report(folder)
    settings = config.get("settings", {})
    is_probe = "epochs" not in settings
    trainings = [] if is_probe else _trainings(folder)
    resumption = _resumption(trainings, finished=report is not None, is_probe=is_probe)
    model = folder / _MODEL
    told = {name: config[name] for name in _TOLD if name in config}
    told |= {name: settings[name] for name in _TOLD_SETTINGS if settings.get(name) is not None}
    facts: dict[str, object] = {
        "file": folder,
        "holds": "a probe" if is_probe else "a fine-tuning run",
        **facts_of({name: value for name, value in told.items() if name != "model"}),
        "model": settings.get("model") or "the one that comes with janusdna",
    }
    if not is_probe:
        facts["trainings"] = "; ".join(training.told for training in trainings) or "none yet"
        facts["best model"] = model if model.is_dir() else "none yet"
    facts |= {"test": _tested(report), "resume": resumption.told}
    record = {
        "file": str(folder),
        "kind": "probe" if is_probe else "fine_tuning_run",
        "config": config,
        "trainings": [training._asdict() for training in trainings],
        "test": None if report is None else report.get("test"),
        "finished": resumption.finished,
    }
    return Origin(facts, record)


def _report(folder: Path) -> dict[str, Any] | None:
    """None before the end."""
    try:
        return read_json(folder / _REPORT)
    except CheckpointError:
        return None


def _trainings(folder: Path) -> list[_Training]:
    """A single one lies in the run's folder, several within it."""
    within = sorted(path for path in folder.glob(f"{_TRIALS}/*") if path.is_dir())
    return [_training(path) for path in within or [folder]]


def _training(folder: Path) -> _Training:
    """By what `finetune --resume` itself looks at."""
    from janusdna_cli.finetuning.saved import read_labelled
    from janusdna_cli.training.run_directory import RunDirectory

    config, saved = config_of(folder), RunDirectory(folder).newest(read_labelled)
    name = config.get("settings", {}).get("trial", folder.name)
    if saved is None:
        return _Training(name, 0, config.get("steps"), None)
    progress = saved.progress
    best = None if progress.best_step is None else _validation(folder, progress.best_step)
    return _Training(name, progress.step, config.get("steps"), best)


def _validation(folder: Path, step: int) -> Line | None:
    """The last line of a step that tells of a validation."""
    path = folder / METRICS_FILE
    if not path.exists():
        return None
    found = [line.record for line in readable_lines(path) if line.record[STEP] == step]
    return next((line for line in reversed(found) if any(name.startswith(_VALIDATED) for name in line)), None)


def _measured(best: Line) -> str:
    values = {
        name: value for name, value in best.items() if name.startswith(_VALIDATED) and value is not None
    }
    return ", ".join(f"{name.removeprefix(_VALIDATED)} {value:.4f}" for name, value in values.items())


def _tested(report: Mapping[str, Any] | None) -> str:
    if report is None:
        return "none yet"
    told = []
    for method, tested in report.get("test", {}).items():
        name, metric = next(iter(tested["metrics"].items()), ("", None))
        if metric is not None and metric["value"] is not None:
            told.append(f"{method} {name} {metric['value']:.4f}")
    return ", ".join(told) or "nothing was tested"


def _resumption(trainings: Sequence[_Training], *, finished: bool, is_probe: bool) -> Resumption:
    if finished:
        return Resumption(True, None, "no: it is finished")
    if is_probe:
        return Resumption(False, None, "no: a probe begins anew, with --overwrite")
    if not any(training.step for training in trainings):
        return Resumption(False, 0, "yes, from the start: it has no checkpoint")
    last = trainings[-1]
    return Resumption(False, last.step, f"yes, {last.name} after step {last.step:,}")
