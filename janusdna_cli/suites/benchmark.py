"""A suite's table: for each task the best learning rate and batch by validation, then the seeds' test.

files -> suite -> a training for each task, rate, batch and seed -> the best pair -> its report -> table
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import janusdna
from janusdna_cli.errors import InputError
from janusdna_cli.finetuning.needs import check_scikit_learn
from janusdna_cli.finetuning.results import FINETUNED
from janusdna_cli.finetuning.settings import FinetuneSettings
from janusdna_cli.outputs.documents import write_json, write_text
from janusdna_cli.suites.eqtl import eqtl
from janusdna_cli.suites.genomic_benchmarks import genomic_benchmarks
from janusdna_cli.suites.nucleotide_transformer import nucleotide_transformer
from janusdna_cli.suites.settings import BenchmarkSettings
from janusdna_cli.suites.suite import Suite, SuiteTask
from janusdna_cli.suites.table import as_markdown
from janusdna_cli.suites.trainings import Report, run_all

__all__ = ["BenchmarkSettings", "run_benchmark"]

logger = logging.getLogger(__name__)


class _Cell(NamedTuple):
    """A task's trainings of one learning rate and batch."""

    task: SuiteTask
    lr: float
    batch: int


def run_benchmark(settings: BenchmarkSettings) -> dict[str, Any]:
    """Train and test on the tasks of a suite, and write its table.

    Returns:
        What `benchmark.json` holds.

    Raises:
        InputError: If files are missing, or are not what they should be.
    """
    check_scikit_learn()
    suite = _suite(settings)
    tasks = _tasks(settings, suite)
    folder = Path(settings.output or f"{suite.name}.janusdna-run")
    protocol = suite.protocol
    cells = [
        _Cell(task, lr, batch)
        for task in tasks
        for lr, batch in itertools.product(settings.lr or protocol.lr, settings.batch or protocol.batch)
    ]
    seeds = settings.seeds or protocol.seeds
    chosen = _chosen(settings, suite, folder, cells, seeds)
    finals = [_training(settings, suite, folder, cell, seeds, settings.baselines) for cell, _ in chosen]
    logger.info("%s: baselines and tests", suite.title)
    reports = run_all(finals, settings.workers, settings.threads, _say)
    record = {
        "suite": suite.name,
        "title": suite.title,
        "version": janusdna.__version__,
        "settings": settings.binding(),
        "seeds": list(seeds),
        "tasks": [_row(cell, tried, report) for (cell, tried), report in zip(chosen, reports, strict=True)],
        "notes": list(suite.notes),
    }
    text = as_markdown(record)
    write_json(folder / "benchmark.json", record)
    write_text(folder / "benchmark.md", text)
    logger.info("%d tasks -> %s", len(tasks), folder / "benchmark.md")
    return record


def _suite(settings: BenchmarkSettings) -> Suite:
    if settings.suite == "genomic-benchmarks":
        return genomic_benchmarks(settings.data, settings.fasta)
    if settings.suite == "eqtl":
        return eqtl(settings.data, settings.fasta)
    return nucleotide_transformer(settings.data)


def _tasks(settings: BenchmarkSettings, suite: Suite) -> list[SuiteTask]:
    known = {task.name: task for task in suite.tasks}
    for name in settings.tasks:
        if name not in known:
            raise InputError(f"--tasks {name}: found {', '.join(known)} in {settings.data}")
    return [known[name] for name in settings.tasks or known]


def _chosen(
    settings: BenchmarkSettings, suite: Suite, folder: Path, cells: Sequence[_Cell], seeds: Sequence[int]
) -> list[tuple[_Cell, dict[str, float]]]:
    """The cell of each task that validates best, and what all of its cells came to."""
    jobs = [(cell, seed) for cell in cells for seed in seeds]
    trainings = [
        _training(settings, suite, folder, cell, (seed,), "none", alone=len(seeds) == 1)
        for cell, seed in jobs
    ]
    logger.info("%s: %d tasks, %d trainings", suite.title, len({c.task.name for c in cells}), len(jobs))
    reports = run_all(trainings, settings.workers, settings.threads, _say)
    found: dict[str, list[tuple[float, _Cell]]] = {}
    for cell in cells:
        values = [
            _validated(report, cell.task.metric)
            for (other, _), report in zip(jobs, reports, strict=True)
            if other is cell
        ]
        found.setdefault(cell.task.name, []).append((sum(values) / len(values), cell))
    return [
        (
            max(tried, key=lambda one: -math.inf if math.isnan(one[0]) else one[0])[1],
            {f"lr {cell.lr:g}, batch {cell.batch}": value for value, cell in tried},
        )
        for tried in found.values()
    ]


def _training(
    settings: BenchmarkSettings,
    suite: Suite,
    folder: Path,
    cell: _Cell,
    seeds: Sequence[int],
    baselines: Any,
    *,
    alone: bool = True,
) -> FinetuneSettings:
    """A training, or all seeds of a cell; the former lies where the latter looks for it."""
    protocol, task = suite.protocol, cell.task
    place = folder / task.name / f"lr-{cell.lr:g}-batch-{cell.batch}"
    if not alone:
        place = place / "trials" / f"seed-{seeds[0]}"
    options = dict(protocol.options)
    if settings.dtype != "auto":
        options["dtype"] = settings.dtype
    # What is written anew is written once: the seeds of a cell are put together of trainings that are there.
    overwrite = settings.overwrite and baselines == "none"
    return FinetuneSettings(
        **options,
        **settings.handed_on(),
        **task.files,
        output=str(place),
        metric=task.metric,
        lr=cell.lr,
        batch=cell.batch,
        epochs=settings.epochs or protocol.epochs,
        seeds=tuple(seeds),
        baselines=baselines,
        resume=not overwrite,
        overwrite=overwrite,
        quiet=True,
    )


def _validated(report: Report, metric: str) -> float:
    [values] = report["valid"][FINETUNED].values() or [{}]
    value = values.get(metric)
    return math.nan if value is None else float(value)


def _row(cell: _Cell, tried: dict[str, float], report: Report) -> dict[str, Any]:
    return {
        "task": cell.task.name,
        "metric": cell.task.metric,
        "lr": cell.lr,
        "batch": cell.batch,
        "validated": {name: None if math.isnan(value) else value for name, value in tried.items()},
        "sequences": next(iter(report["sequences"].values())),
        "shared": report["shared"],
        "found": {
            method: tested["metrics"][cell.task.metric]
            for method, tested in report["test"].items()
            if tested["metrics"]
        },
        "published": dict(cell.task.published),
    }


def _say(done: int, total: int) -> None:
    logger.info("%d of %d trainings are done", done, total)
