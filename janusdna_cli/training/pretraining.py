"""Pretraining: a FASTA in, a model out, from the start or from where a run stands."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from janusdna.checkpoint import read_native
from janusdna.config import ModelConfig
from janusdna.reader import open_checkpoint
from janusdna_cli.genome.bgzip import with_random_access
from janusdna_cli.genome.genomes import Genomes
from janusdna_cli.genome.marks import read_marks
from janusdna_cli.genome.splits import write_splits
from janusdna_cli.runtime.ranks import joined
from janusdna_cli.runtime.signals import noted_signals
from janusdna_cli.runtime.threads import use_threads
from janusdna_cli.training.beginning import Description, begun
from janusdna_cli.training.genome_task import Genome, GenomeTask
from janusdna_cli.training.loop import LoopSettings, TrainingLoop
from janusdna_cli.training.run_directory import Progress, RunDirectory
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
        saved = begun(
            folder,
            _described(settings, config, genome),
            ranks,
            resume=settings.resume,
            overwrite=settings.overwrite,
            read_model=read_native,
            write_beside=lambda: write_splits(genome.splits, folder.intervals),
        )
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
    files = tuple(replace(file, path=with_random_access(file.path)) for file in settings.files)
    with Genomes(files) as genomes:
        splits = settings.splits(genomes.lengths, trained_length(config))
        marks = None if settings.weights is None else read_marks(settings.weights, genomes)
        return Genome(files, genomes.lengths, splits, marks)


def _described(settings: PretrainSettings, config: ModelConfig, genome: Genome) -> Description:
    return Description(
        settings.binding(),
        genome.describe(),
        config.to_dict(),
        data_name="genome",
        other_data="genome or other intervals or weights",
        facts={"fasta": settings.file_names},
    )
