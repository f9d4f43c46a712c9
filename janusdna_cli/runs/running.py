"""A job from its start to its output, by one process or by all those that `torchrun` started."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from janusdna_cli.runs.job import Job
from janusdna_cli.runs.kept import run_kept
from janusdna_cli.runs.settings import RunSettings
from janusdna_cli.runs.streaming import run_streamed
from janusdna_cli.runs.target import Target
from janusdna_cli.runs.workers import prepare_workers
from janusdna_cli.runtime.ranks import joined
from janusdna_cli.runtime.summary import Summary
from janusdna_cli.runtime.threads import threads_of

__all__ = ["run"]

# What a unit of work costs, in bases of a window read: seconds on a CPU, a few batches on a GPU.
_CPU_UNIT, _CUDA_UNIT = 1 << 17, 1 << 22

Settings = TypeVar("Settings", bound=RunSettings)


def run(
    open_job: Callable[[Settings, Target], AbstractContextManager[Job[Any]]], settings: Settings, source: str
) -> Summary:
    """Do all of a job, or its shard, and write the table.

    Args:
        open_job: Makes the job of settings and of where its table goes.
        settings: Of the run.
        source: The input whose rows the table has; "-" for standard input.

    Raises:
        InputError: If a file cannot be read or written, or an unfinished run is another one.
        CheckpointError: If the model cannot be used.
    """
    with joined(settings.device, computes_together=False) as ranks:
        if ranks.count > 1:
            settings = dataclasses.replace(settings, device=str(ranks.device))
        target = Target.of(settings, source, ranks.count)
        if target.is_kept and ranks.device.type == "cpu" and _may_be_shared(settings):
            prepare_workers(open_job.__module__)
        with open_job(settings, target) as job:
            bases = max(_unit(job), settings.batch_bp or 0)
            return run_kept(job, target, bases, ranks) if target.is_kept else run_streamed(job, target, bases)


def _may_be_shared(settings: RunSettings) -> bool:
    """Whether several processes may do the work; one thread alone needs no other."""
    return threads_of(settings.threads) > 1 if settings.workers == "auto" else settings.workers != 1


def _unit(job: Job[Any]) -> int:
    return _CPU_UNIT if job.model.device.type == "cpu" else _CUDA_UNIT
