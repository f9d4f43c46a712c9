"""Trainings of a suite, side by side: on one GPU each, or in processes that share a CPU."""

from __future__ import annotations

import dataclasses
import json
import logging
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from queue import Queue
from typing import Any

import torch

from janusdna_cli.finetuning.finetuning import finetune
from janusdna_cli.finetuning.results import KMERS, SCRATCH
from janusdna_cli.finetuning.settings import FinetuneSettings
from janusdna_cli.runtime.progress import configure_logging
from janusdna_cli.runtime.threads import threads_of

__all__ = ["Report", "run_all"]

Report = dict[str, Any]

logger = logging.getLogger(__name__)

_device: str | None = None


def run_all(
    trainings: Sequence[FinetuneSettings],
    workers: int | str,
    threads: int | None,
    done: Callable[[int, int], None],
) -> list[Report]:
    """What each training's `report.json` holds; those that are there already are read.

    Args:
        trainings: Which; each has a folder of its own, and is taken up where it stands.
        workers: Side by side; "auto" for one a GPU, or one.
        threads: Of all of them together; None for all.
        done: Told how many of how many are.

    Raises:
        InputError: What a training raises, when the others that run are done.
    """
    devices = _devices(trainings)
    count = len(devices) if workers == "auto" else int(workers)
    count = max(1, min(count, len(trainings)))
    each = max(1, threads_of(threads) // count)
    found: list[Report | None] = [_finished(one) for one in trainings]
    left = [place for place, report in enumerate(found) if report is None]
    done(len(trainings) - len(left), len(trainings))
    if count == 1:
        for number, place in enumerate(left, len(trainings) - len(left) + 1):
            found[place] = finetune(dataclasses.replace(trainings[place], threads=threads)).report
            done(number, len(trainings))
        return [report or {} for report in found]
    context = multiprocessing.get_context("spawn")
    waiting: Queue[str | None] = context.Manager().Queue()
    for number in range(count):
        waiting.put(devices[number % len(devices)])
    with ProcessPoolExecutor(count, context, _begin, (waiting,)) as pool:
        running = {
            pool.submit(_one, dataclasses.replace(trainings[place], threads=each)): place for place in left
        }
        for number, future in enumerate(as_completed(running), len(trainings) - len(left) + 1):
            found[running[future]] = future.result()
            done(number, len(trainings))
    return [report or {} for report in found]


def _devices(trainings: Sequence[FinetuneSettings]) -> list[str | None]:
    """Those that trainings are shared out to; None for what the settings say."""
    asked = trainings[0].device if trainings else "cpu"
    if asked in ("auto", "cuda") and torch.cuda.is_available():
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return [None]


def _begin(waiting: Queue[str | None]) -> None:
    global _device
    _device = waiting.get()
    configure_logging(quiet=True)


def _one(settings: FinetuneSettings) -> Report:
    if _device is not None:
        settings = dataclasses.replace(settings, device=_device)
    return finetune(settings).report


def _finished(settings: FinetuneSettings) -> Report | None:
    """What a training that is done found; None where it is not, or was another one."""
    try:
        report: Report = json.loads((Path(settings.folder) / "report.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    methods = {"none": set(), "linear": {KMERS}, "all": {KMERS, SCRATCH}}[settings.baselines]
    if settings.from_scratch:
        methods = methods - {SCRATCH}
    same = report.get("settings") == json.loads(json.dumps(settings.binding()))
    return report if same and methods <= set(report.get("test", {})) and not settings.overwrite else None
