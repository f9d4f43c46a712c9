"""A job from its start to its output."""

from __future__ import annotations

from janusdna.reader import Model
from janusdna_cli.runs.job import Job
from janusdna_cli.runs.kept import run_kept
from janusdna_cli.runs.streaming import run_streamed
from janusdna_cli.runs.target import Target
from janusdna_cli.runtime.summary import Summary

__all__ = ["run"]

# What a unit of work costs, in bases of a window read: seconds on a CPU, a few batches on a GPU.
_CPU_UNIT, _CUDA_UNIT = 1 << 19, 1 << 22


def run(job: Job, target: Target) -> Summary:
    """Do all of a job, or its shard, and write the table.

    Raises:
        InputError: If a file cannot be read or written, or an unfinished run is another one.
    """
    bases = max(_unit(job.model), job.settings.batch_bp or 0)
    return run_kept(job, target, bases) if target.is_kept else run_streamed(job, target, bases)


def _unit(model: Model) -> int:
    return _CPU_UNIT if model.device.type == "cpu" else _CUDA_UNIT
