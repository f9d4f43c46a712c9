"""What a run says on standard error: log lines, a progress bar, and one line at its end."""

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Display

from janusdna_cli.runtime.standard_streams import say, stderr_is_terminal

__all__ = ["Progress", "configure_logging", "download_progress", "format_bases", "format_summary", "progress"]

Table = TypeVar("Table", bound=Any)

_LOGGERS = ("janusdna", "janusdna_cli")


class _StderrHandler(logging.Handler):
    """Finds standard error at each line, so that lines go above a progress bar that is on."""

    def emit(self, record: logging.LogRecord) -> None:
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        say(f"janusdna: {level}{self.format(record)}")


def configure_logging(*, quiet: bool = False, verbose: bool = False) -> None:
    """Sends log lines to standard error.

    By default notes and warnings; `quiet` leaves warnings; `verbose` adds what helps to find a fault.
    Warnings that libraries give through `warnings` become one line each.
    """
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    root = logging.getLogger()
    for handler in [old for old in root.handlers if isinstance(old, _StderrHandler)]:
        root.removeHandler(handler)
    root.addHandler(_StderrHandler())
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(level)
    _route_warnings(verbose)


def _route_warnings(verbose: bool) -> None:
    def one_line(message: Warning | str, category: type[Warning], *_: object, **__: object) -> str:
        return f"{category.__name__}: {' '.join(str(message).split())}"

    warnings.formatwarning = one_line
    logging.captureWarnings(True)
    if not verbose:  # for the developers of libraries, not for their users
        warnings.simplefilter("ignore", FutureWarning)


class Progress:
    """How far a run is; without a display it says nothing.

    Args:
        display: The bar, or None.
        description: What is being done.
        total: Rows in all, or None when nobody knows.
        unit: What a row is, in the plural.
    """

    def __init__(self, display: Display | None, description: str, total: int | None, unit: str) -> None:
        self._display = display
        self._total = total
        self._unit = unit
        self._rows = self._bases = 0
        self._started = time.monotonic()
        if display is not None:
            self._task = display.add_task(description, total=total, state=self._state())

    def advance(self, rows: int, bases: int = 0) -> None:
        """Adds what was done since the last call.

        Args:
            rows: Rows done.
            bases: Bases read.
        """
        self._rows += rows
        self._bases += bases
        if self._display is not None:
            self._display.update(self._task, completed=self._rows, state=self._state())

    def passing(self, tables: Iterable[Table]) -> Iterator[Table]:
        """Tables on their way, each counted as it comes back for the next."""
        for table in tables:
            yield table
            self.advance(table.num_rows)

    def _state(self) -> str:
        seconds = time.monotonic() - self._started
        rate = self._bases / seconds if seconds > 0 else 0.0
        total = "" if self._total is None else f"/{self._total:,}"
        return f"{self._rows:,}{total} {self._unit}, {format_bases(rate)}/s"


@contextmanager
def progress(description: str, total: int | None, unit: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Shows a progress bar on standard error where that is a terminal, unless told to be quiet.

    Args:
        description: What is being done, such as "Scoring".
        total: Rows in all, or None when nobody knows.
        unit: What a row is, in the plural, such as "variants".
        quiet: Show nothing.
    """
    if quiet or not stderr_is_terminal():
        yield Progress(None, description, total, unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # Standard output carries data: rich must not put itself in its place.
    with Display(*columns, console=Console(stderr=True), redirect_stdout=False) as display:
        yield Progress(display, description, total, unit)


@contextmanager
def download_progress(
    description: str, total: int | None, *, quiet: bool = False
) -> Iterator[Callable[[int], None]]:
    """Shows how much of a file is there, on standard error where that is a terminal.

    Args:
        description: What is being fetched.
        total: Its size in bytes, or None when nobody knows.
        quiet: Show nothing.

    Yields:
        What is called with the number of bytes there so far.
    """
    if quiet or not stderr_is_terminal():
        yield lambda done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Display(*columns, console=Console(stderr=True), redirect_stdout=False) as display:
        task = display.add_task(description, total=total)
        yield lambda done: display.update(task, completed=done)


def format_bases(bases: float) -> str:
    """A number of bases to three digits, such as `59.4 Mb`."""
    for unit, size in (("bp", 1), ("kb", 10**3), ("Mb", 10**6)):
        if bases / size < 999.5:
            return f"{bases / size:.3g} {unit}"
    return f"{bases / 10**9:,.1f} Gb"


def format_summary(
    counts: Mapping[str, int],
    windows: int,
    bases: int,
    seconds: float,
    destination: str,
    *,
    unit: str = "alleles",
) -> str:
    """One line at the end of a run.

    Args:
        counts: Rows by status; those of zero are left out, `ok` comes first.
        windows: Windows read.
        bases: Bases read.
        seconds: Time taken.
        destination: Where the rows went, `-` for standard output.
        unit: What a row is, in the plural.

    >>> format_summary({"symbolic": 24, "ok": 29_120}, 58_000, 59_400_000, 312.0, "out.parquet")
    '29,144 alleles: 29,120 ok, 24 symbolic; 58,000 windows, 59.4 Mb read in 312 s (190 kb/s) -> out.parquet'
    """
    ordered = sorted(counts.items(), key=lambda item: (item[0] != "ok", -item[1], item[0]))
    statuses = ", ".join(f"{count:,} {status}" for status, count in ordered if count)
    rows = f"{sum(counts.values()):,} {unit}" + (f": {statuses}" if statuses else "")
    time_taken = f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"
    place = "standard output" if destination == "-" else destination
    if not windows:
        return f"{rows} in {time_taken} -> {place}"
    rate = format_bases(bases / max(seconds, 1e-9))
    return f"{rows}; {windows:,} windows, {format_bases(bases)} read in {time_taken} ({rate}/s) -> {place}"
