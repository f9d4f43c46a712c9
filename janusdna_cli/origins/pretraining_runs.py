"""Folders of pretraining runs: what was started, how far it is, and whether it can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.provenance import facts_of
from janusdna_cli.origins.training_runs import Resumption, config_of
from janusdna_cli.training.metrics import STEP, Metrics, Series, read_metrics

__all__ = ["origin_of_pretraining_run"]

_SETTINGS = "settings"
_TOLD = ("version", "command", "fasta")
_TOLD_SETTINGS = ("preset", "init", "objective", "length", "tokens_per_step", "seed")
_LAST, _BEST = "bits_per_base", "valid_bits_per_base"


def origin_of_pretraining_run(folder: Path) -> Origin:
    """What a run was started with, its last step, its best validation, and where `--resume` goes on.

    Raises:
        RecordError: A line of its metrics is not what it should be.
    """
    config, metrics = config_of(folder), _metrics(folder)
    last = _row(metrics.training, -1) if metrics and len(metrics.training) else None
    best = _best(metrics.validation) if metrics else None
    resumption = _resumption(folder, config)
    model = folder / "model"
    told = {name: config[name] for name in _TOLD if name in config}
    settings = config.get(_SETTINGS, {})
    told |= {name: settings[name] for name in _TOLD_SETTINGS if settings.get(name) is not None}
    facts = {
        "file": folder,
        "holds": "a pretraining run",
        **facts_of(told),
        "trained to": _step_told(last, _LAST),
        "best validation": _step_told(best, _BEST),
        "best model": model if model.is_dir() else "none yet",
        "resume": resumption.told,
    }
    record = {
        "file": str(folder),
        "kind": "pretraining_run",
        "config": config,
        "last": last,
        "best": best,
        "finished": resumption.finished,
        "resumes_after": resumption.after,
    }
    return Origin(facts, record)


def _metrics(folder: Path) -> Metrics | None:
    """None before the first step."""
    try:
        return read_metrics(folder)
    except RecordError:
        raise
    except InputError:
        return None


def _row(series: Series, index: int) -> dict[str, float]:
    """What was measured at one of the steps."""
    found = {name: float(values[index]) for name, values in series.values.items()}
    return {STEP: int(series.steps[index])} | {name: x for name, x in found.items() if not np.isnan(x)}


def _best(validation: Series) -> dict[str, float] | None:
    bits = validation.values[_BEST]
    return None if np.isnan(bits).all() else _row(validation, int(np.nanargmin(bits)))


def _step_told(row: dict[str, float] | None, name: str) -> str:
    if row is None:
        return "none yet"
    measured = f", {row[name]:.4f} bits per base" if name in row else ""
    return f"step {row[STEP]:,}{measured}"


def _resumption(folder: Path, config: dict[str, Any]) -> Resumption:
    """By what `pretrain --resume` itself looks at."""
    from janusdna.checkpoint import read_native
    from janusdna_cli.training.run_directory import RunDirectory

    run = RunDirectory(folder)
    try:
        run.read_config((_SETTINGS, "model"))
    except InputError as error:
        return Resumption(False, None, f"no: {error}")
    saved, steps = run.newest(read_native), _max_steps(config)
    if saved is None:
        return Resumption(False, 0, f"yes, from the start: it has no checkpoint; of {steps:,} steps")
    done = saved.progress.step
    if done >= steps:
        return Resumption(True, None, f"no: all {steps:,} steps are made")
    return Resumption(False, done, f"yes, after step {done:,} of {steps:,}, from {saved.path}")


def _max_steps(config: dict[str, Any]) -> int:
    from janusdna.config import ModelConfig
    from janusdna_cli.training.settings import PretrainSettings, trained_length

    settings = PretrainSettings(fasta=config.get("fasta", "-"), max_steps=config[_SETTINGS].get("max_steps"))
    return settings.recipe(trained_length(ModelConfig.from_dict(config["model"]))).max_steps
