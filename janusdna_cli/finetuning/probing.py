"""Probing: embeddings once, then linear models of them.

input -> items -> splits -> embeddings -> linear models -> predictions -> report
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from janusdna.errors import CheckpointError
from janusdna.labels import LabelTask
from janusdna_cli.errors import InputError
from janusdna_cli.finetuning.baselines import told_linearly
from janusdna_cli.finetuning.data import LabelledData, Trial, trials
from janusdna_cli.finetuning.embedded_input import holds_embeddings, read_embeddings
from janusdna_cli.finetuning.introducing import told_of
from janusdna_cli.finetuning.kmers import word_features
from janusdna_cli.finetuning.needs import check_scikit_learn
from janusdna_cli.finetuning.networks import Networks
from janusdna_cli.finetuning.probe_settings import ProbeSettings
from janusdna_cli.finetuning.report import headline
from janusdna_cli.finetuning.results import KMERS, PROBE
from janusdna_cli.finetuning.writing import RESULTS, run_facts, write_results
from janusdna_cli.runtime.ranks import Ranks, joined
from janusdna_cli.runtime.signals import noted_signals
from janusdna_cli.runtime.threads import use_threads
from janusdna_cli.training.beginning import Description, begun
from janusdna_cli.training.run_directory import RunDirectory

__all__ = ["ProbeSettings", "probe"]

logger = logging.getLogger(__name__)


class _Read(NamedTuple):
    """Embeddings of all sequences, and what is so of them."""

    data: LabelledData
    planned: list[Trial]
    task: LabelTask
    features: npt.NDArray[np.float64]
    model: dict[str, Any]


def probe(settings: ProbeSettings) -> dict[str, Any]:
    """Fit linear models to embeddings, and tell how good they are.

    Returns:
        What `report.json` holds.

    Raises:
        InputError: If sequences, labels or folder are not what they should be.
        CheckpointError: If the model cannot be used.
    """
    check_scikit_learn()
    use_threads(settings.threads)
    folder = RunDirectory(settings.folder, own=RESULTS)
    if holds_embeddings(settings.input):
        read = _from_table(settings, folder)
    elif settings.labels is not None:
        raise InputError(f"{settings.input}: --labels goes with embeddings that embed wrote; leave it out")
    else:
        with joined(settings.device) as ranks, noted_signals() as stopped:
            read = _from_sequences(settings, folder, ranks, stopped)
        if not ranks.is_first:
            return {}
    notes: list[str] = []
    found = told_linearly(PROBE, read.features, read.data, read.planned, notes)
    if len(read.data.sequences):
        words = word_features(read.data, both_strands=settings.rc != "none")
        found += told_linearly(KMERS, words, read.data, read.planned, notes)
    facts = run_facts(settings, folder.name, read.model)
    report = write_results(folder.path, read.data, read.task, read.planned, found, facts, notes)
    logger.info("%s -> %s", headline(report), folder.path)
    return report


def _from_sequences(settings: ProbeSettings, folder: RunDirectory, ranks: Ranks, stopped: Any) -> _Read:
    networks = Networks.of(settings, ranks)
    data = networks.data
    planned = trials(settings, data)
    logger.info("%s", told_of(data, planned))
    _begin(settings, folder, ranks, data, networks.start.config.to_dict())

    def proceed() -> None:
        if ranks.count == 1 and stopped():
            raise KeyboardInterrupt

    features = networks.embeddings(planned[0], proceed)
    return _Read(data, planned, networks.task(planned[0]), features, networks.identity)


def _from_table(settings: ProbeSettings, folder: RunDirectory) -> _Read:
    found = read_embeddings(settings)
    data = found.data
    planned = trials(settings, data)
    logger.info("%s", told_of(data, planned))
    _begin(settings, folder, Ranks(torch.device("cpu")), data, {"sha256": found.sha256})
    task = LabelTask(kind=data.encoding.kind, labels=data.encoding.names)
    model = {"name": f"that of {Path(settings.input).name}", "sha256": found.sha256}
    return _Read(data, planned, task, found.features, model)


def _begin(
    settings: ProbeSettings, folder: RunDirectory, ranks: Ranks, data: LabelledData, model: dict[str, Any]
) -> None:
    def read_nothing(path: Path) -> None:
        raise CheckpointError(f"{path}: a probe has no checkpoints")

    description = Description(
        settings.binding(),
        {"sequences": len(data.items), "digest": data.digest},
        model,
        data_name="data",
        other_data="set of sequences and labels",
        facts={"input": Path(settings.input).name},
    )
    begun(folder, description, ranks, resume=False, overwrite=settings.overwrite, read_model=read_nothing)
