"""Fine-tuning: sequences with labels in; models, their predictions, and how good they are, out.

input -> items -> splits -> trials -> networks and baselines -> predictions -> report
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janusdna.errors import CheckpointError
from janusdna_cli.errors import InputError
from janusdna_cli.finetuning.baselines import distances, told_linearly
from janusdna_cli.finetuning.data import LabelledData, Trial, trials
from janusdna_cli.finetuning.introducing import told_of
from janusdna_cli.finetuning.kmers import word_features
from janusdna_cli.finetuning.metrics import METRICS
from janusdna_cli.finetuning.needs import check_scikit_learn
from janusdna_cli.finetuning.networks import Networks
from janusdna_cli.finetuning.report import headline
from janusdna_cli.finetuning.results import DISTANCE, FINETUNED, KMERS, PROBE, SCRATCH, Told
from janusdna_cli.finetuning.saved import SavedLabelled, note_metrics
from janusdna_cli.finetuning.settings import FinetuneSettings
from janusdna_cli.finetuning.trial_run import Outcome, TrialRuns, described
from janusdna_cli.finetuning.writing import RESULTS, run_facts, write_results
from janusdna_cli.runtime.ranks import joined
from janusdna_cli.runtime.signals import noted_signals
from janusdna_cli.runtime.threads import use_threads
from janusdna_cli.training.beginning import begun
from janusdna_cli.training.run_directory import RunDirectory

__all__ = ["FinetuneSettings", "FinetuneSummary", "finetune"]

_TRIALS, _BASELINES = "trials", "baselines"
_OWN = (_TRIALS, _BASELINES, *RESULTS)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinetuneSummary:
    """What a run came to.

    Attributes:
        model: The folder of the best model, by its validation.
        report: What `report.json` holds.
    """

    model: Path
    report: dict[str, Any]


def finetune(settings: FinetuneSettings) -> FinetuneSummary:
    """Train a network on labels, from the start or from where a run stands.

    Raises:
        InputError: If sequences, labels or folder are not what they should be, told before any training.
        TrainingError: If a loss is not finite.
        KeyboardInterrupt: After SIGINT, SIGTERM or SIGHUP, when a checkpoint is written.
    """
    check_scikit_learn()
    use_threads(settings.threads)
    folder = RunDirectory(settings.folder, own=_OWN)
    with joined(settings.device) as ranks, noted_signals() as stopped:
        networks = Networks.of(settings, ranks)
        data = networks.data
        _check_metric(settings, data)
        planned = trials(settings, data)
        logger.info("%s", told_of(data, planned))
        runs = TrialRuns(settings, networks, stopped)
        outcomes = _trained(runs, planned, folder)
        found = [told for outcome in outcomes for told in outcome.told]
        found += _from_scratch(runs, planned, folder)
        features = None if settings.baselines == "none" else networks.embeddings(planned[0], runs.proceed)
        best = min(range(len(planned)), key=lambda place: outcomes[place].score or 0.0)
        if ranks.is_first and outcomes[best].model != folder.model:
            folder.save_model(lambda place: _copy(outcomes[best].model, place))
    if not ranks.is_first:
        return FinetuneSummary(folder.model, {})
    notes: list[str] = []
    if features is not None:
        words = word_features(data, both_strands=settings.rc != "none")
        found += told_linearly(PROBE, features, data, planned, notes)
        found += told_linearly(KMERS, words, data, planned, notes)
        if (apart := distances(data)) is not None:
            found += told_linearly(DISTANCE, apart, data, planned, notes)
    report = write_results(
        folder.path,
        data,
        networks.task(planned[0]),
        planned,
        found,
        run_facts(settings, folder.name, networks.identity),
        notes,
    )
    note_metrics(folder.model, report["test"][FINETUNED]["trials"].get(planned[best].name, {}))
    logger.info("%s -> %s", headline(report), folder.path)
    return FinetuneSummary(folder.model, report)


def _check_metric(settings: FinetuneSettings, data: LabelledData) -> None:
    kind = data.encoding.kind
    if settings.metric is not None and settings.metric not in METRICS[kind]:
        expected = " or ".join(METRICS[kind])
        raise InputError(f"--metric {settings.metric}: the labels are {kind}, expected {expected}")


def _trained(runs: TrialRuns, planned: Sequence[Trial], folder: RunDirectory) -> list[Outcome]:
    """Each training in its own folder, a single one in that of the run."""
    scratch = runs.settings.from_scratch
    if len(planned) == 1:
        return [runs.run(planned[0], folder, folder.name, FINETUNED, from_scratch=scratch)]
    _begin(folder, runs)
    outcomes = []
    for number, trial in enumerate(planned, 1):
        logger.info("training %d of %d: %s", number, len(planned), trial.name)
        place = RunDirectory(folder.path / _TRIALS / trial.name)
        outcomes.append(
            runs.run(trial, place, f"{folder.name}-{trial.name}", FINETUNED, from_scratch=scratch)
        )
    return outcomes


def _begin(folder: RunDirectory, runs: TrialRuns) -> None:
    """The folder of several trainings, each of which has one of its own within."""

    def read_nothing(path: Path) -> SavedLabelled:
        raise CheckpointError(f"{path}: is not of this run")

    begun(
        folder,
        described(runs.settings, runs.networks.data, runs.networks.start.config),
        runs.networks.ranks,
        resume=runs.settings.resume,
        overwrite=runs.settings.overwrite,
        read_model=read_nothing,
    )


def _from_scratch(runs: TrialRuns, planned: Sequence[Trial], folder: RunDirectory) -> list[Told]:
    """What the same training comes to without the pretrained weights, where that is asked for."""
    if runs.settings.baselines != "all" or runs.settings.from_scratch:
        return []
    found: list[Told] = []
    for trial in planned:
        name = f"from-scratch-{trial.name}"
        logger.info("baseline: %s", name)
        place = RunDirectory(folder.path / _BASELINES / name)
        found += runs.run(trial, place, name, SCRATCH, from_scratch=True).told
    return found


def _copy(model: Path, place: Path) -> None:
    shutil.copytree(model, place, dirs_exist_ok=True)
