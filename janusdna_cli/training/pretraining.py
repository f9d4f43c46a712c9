"""Pretraining: a FASTA in, a model out, from the start or from where a run stands."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import janusdna
from janusdna.checkpoint import Checkpoint, read_native
from janusdna.config import ModelConfig
from janusdna.reader import open_checkpoint
from janusdna_cli.errors import InputError
from janusdna_cli.genome.bgzip import with_random_access
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.splits import write_splits
from janusdna_cli.runtime.ranks import Ranks, joined
from janusdna_cli.runtime.signals import noted_signals
from janusdna_cli.runtime.threads import use_threads
from janusdna_cli.training.genome_task import Genome, GenomeTask
from janusdna_cli.training.loop import LoopSettings, TrainingLoop
from janusdna_cli.training.run_directory import Progress, RunDirectory, Saved
from janusdna_cli.training.settings import PretrainSettings, trained_length

__all__ = ["PretrainSettings", "PretrainSummary", "pretrain"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PretrainSummary:
    """What a run came to.

    Attributes:
        model: The best model's directory.
        progress: Steps, bases and time, and the best validation.
    """

    model: Path
    progress: Progress


def pretrain(settings: PretrainSettings) -> PretrainSummary:
    """Train a network on a genome, from the start or from where a run stands.

    Raises:
        InputError: If genome, intervals or folder are not what they should be, or cannot be written.
        TrainingError: If a loss is not finite.
        KeyboardInterrupt: After SIGINT, SIGTERM or SIGHUP, when a checkpoint is written.
    """
    use_threads(settings.threads)
    with joined(settings.device) as ranks, noted_signals() as stopped:
        start = None if settings.init is None else open_checkpoint(settings.init)
        config = settings.network(None if start is None else start.config)
        genome = ranks.first_alone(lambda: _open_genome(settings, config))
        folder = RunDirectory(settings.folder)
        saved = ranks.first_alone(lambda: _prepare(settings, config, genome, folder, ranks))
        source = start if saved is None else saved.model
        task = GenomeTask(settings, config, genome, ranks, source, folder.name)
        recipe = settings.recipe(trained_length(config))
        logger.info("%s", task.describe(recipe.max_steps))
        due = _due(settings, validates=task.validates)
        progress = TrainingLoop(task, recipe, due, folder, ranks, stopped, saved).run()
        return PretrainSummary(folder.model, progress)


def _due(settings: PretrainSettings, *, validates: bool) -> LoopSettings:
    return LoopSettings(
        valid_every=settings.valid_every if validates else 0,
        checkpoint_every=settings.checkpoint_every,
        keep=settings.keep,
        quiet=settings.quiet,
    )


def _open_genome(settings: PretrainSettings, config: ModelConfig) -> Genome:
    fasta = with_random_access(settings.fasta)
    with Reference.open(fasta) as reference:
        return Genome(fasta, reference.lengths, settings.splits(reference.lengths, trained_length(config)))


def _prepare(
    settings: PretrainSettings, config: ModelConfig, genome: Genome, folder: RunDirectory, ranks: Ranks
) -> Saved[Checkpoint] | None:
    """Make the run's folder, or find where the run in it stands."""
    described = {
        "version": janusdna.__version__,
        "pytorch": torch.__version__,
        "command": sys.argv,
        "fasta": Path(settings.fasta).name,
        "settings": settings.binding(),
        "genome": genome.describe(),
        "model": config.to_dict(),
    }
    if folder.holds_a_run() and settings.resume:
        _check_same(folder, described)
        return folder.newest(read_native)
    if folder.holds_a_run() and not settings.overwrite and ranks.is_first:
        raise InputError(f"{folder.path}: holds a run; pass --resume to go on, --overwrite to start anew")
    if ranks.is_first:
        folder.clear()
        folder.write_config(described)
        write_splits(genome.splits, folder.intervals)
    return None


def _check_same(folder: RunDirectory, described: dict[str, Any]) -> None:
    """Whether a run in the folder was started as this one.

    Raises:
        InputError: If not, with the first difference.
    """
    before, now = folder.read_config(), json.loads(json.dumps(described))
    for name, value in now["settings"].items():
        was = before.get("settings", {}).get(name, value)
        if was != value:
            option = "--" + name.replace("_", "-")
            raise InputError(
                f"{folder.path}: holds a run that was started with {option} {was}, found {option} {value}; "
                "pass the options it was started with, or another -o"
            )
    for what in ("genome", "model"):
        if before.get(what) != now[what]:
            other = "genome or other intervals" if what == "genome" else "network"
            raise InputError(
                f"{folder.path}: holds a run on another {other}: found {_short(now[what])}, "
                f"expected {_short(before.get(what))}; pass another -o"
            )


def _short(facts: Any) -> str:
    return ", ".join(f"{name} {str(value)[:12]}" for name, value in (facts or {}).items())
