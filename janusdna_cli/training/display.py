"""What a training says while it goes: a live display on a terminal, else a line now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from janusdna_cli.runtime.progress import format_bases
from janusdna_cli.runtime.standard_streams import stderr_is_terminal
from janusdna_cli.training.metrics import Line

__all__ = ["TrainingDisplay", "format_duration", "training_display"]

_SECONDS_BETWEEN_LINES = 30.0

logger = logging.getLogger(__name__)


class TrainingDisplay:
    """Takes the lines of the metrics.

    Args:
        live: What is shown on a terminal, or None.
        last: Steps in all.
        done: Steps made before.
        quiet: Say nothing.
    """

    def __init__(self, live: Live | None, last: int, done: int, *, quiet: bool) -> None:
        self._live = live
        self._quiet = quiet
        self._last = last
        self._done = done
        self._began = time.monotonic()
        self._said = -_SECONDS_BETWEEN_LINES
        self._bar = Progress(
            TextColumn("{task.completed:,}/{task.total:,} steps"),
            BarColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("left"),
        )
        self._task = self._bar.add_task("", total=last, completed=done)

    def step(self, line: Line, text: str) -> None:
        """A step was made: its line, and what its task says of it."""
        if self._quiet:
            return
        if self._live is not None:
            self._bar.update(self._task, completed=line["step"])
            self._live.update(Group(self._bar, Text(_state(line, text))))
            return
        now = time.monotonic()
        if now - self._said >= _SECONDS_BETWEEN_LINES or line["step"] == self._last:
            self._said = now
            each = (now - self._began) / (line["step"] - self._done)
            left = format_duration(each * (self._last - line["step"]))
            logger.info(
                "step %s/%s: %s, %s left", f"{line['step']:,}", f"{self._last:,}", _state(line, text), left
            )

    def validation(self, step: int, text: str, *, best: bool) -> None:
        """The model was validated."""
        if not self._quiet:
            logger.info("step %s: held out: %s%s", f"{step:,}", text, ", the best so far" if best else "")


@contextmanager
def training_display(last: int, done: int, *, quiet: bool) -> Iterator[TrainingDisplay]:
    """Shows a run on standard error: live where that is a terminal, unless told to be quiet."""
    if quiet or not stderr_is_terminal():
        yield TrainingDisplay(None, last, done, quiet=quiet)
        return
    with Live(console=Console(stderr=True), redirect_stdout=False) as live:
        yield TrainingDisplay(live, last, done, quiet=False)


def _state(line: Line, text: str) -> str:
    return f"{text}, lr {line['lr']:.2g}, {format_bases(line['tokens_per_second'])}/s"


def format_duration(seconds: float) -> str:
    """A time to two units, such as `3 h 12 min`.

    >>> [format_duration(s) for s in (4.2, 75, 11_520, 400_000)]
    ['4 s', '1 min 15 s', '3 h 12 min', '4 d 15 h']
    """
    whole = round(seconds)
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    for at, (unit, size) in enumerate(units):
        if whole >= size and at + 1 < len(units):
            smaller, step = units[at + 1]
            return f"{whole // size} {unit} {whole % size // step} {smaller}"
    return f"{whole} s"
