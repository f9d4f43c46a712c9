"""`janusdna` in processes of their own, with what is done to them: signals, full disks, writes that fail.

They are forked from this one, so that they need not load PyTorch; all else is as from a shell.
"""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from janusdna_cli.app import main as janusdna
from janusdna_cli.runs import keeper, running, workers

_PATIENCE_SECONDS = 60

# Workers begin as their parents do.
_FORKING = SimpleNamespace(
    get_all_start_methods=multiprocessing.get_all_start_methods,
    get_context=lambda method: multiprocessing.get_context("fork"),
)

_on_exit: list[Callable[[], object]] = []


class WrongError(Exception):
    """Something is not as it must be."""


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        code: Its exit code; of one that a signal ended, minus its number.
        said: The lines on standard error.
        seconds: How long it took.
    """

    code: int
    said: list[str]
    seconds: float


@dataclass(frozen=True)
class Disturbance:
    """What is done to a run.

    Attributes:
        before: Called by its process before it starts.
        during: Called with the process's number as it runs.
    """

    before: Callable[[], object] = lambda: None
    during: Callable[[int], object] = lambda pid: None


NONE = Disturbance()


def run(
    words: Sequence[str], folder: Path, disturbance: Disturbance = NONE, *, unit: int, keep_after: float
) -> Ended:
    """Run the program.

    Args:
        words: Its command line, without its name.
        folder: Where.
        disturbance: What is done to it.
        unit: Cost of a unit of its work, in bases.
        keep_after: Seconds after which what is done is kept.

    Raises:
        WrongError: If it does not end.
    """
    began = time.monotonic()
    read_end, write_end = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until it is another process's
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.dup2(write_end, 2)
        os.close(read_end)
        os.close(write_end)
        running._CPU_UNIT, keeper._SECONDS = unit, keep_after
        _be_janusdna(words, folder, disturbance.before)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.close(write_end)
    disturbance.during(pid)
    code, seconds = _waited_for(pid), time.monotonic() - began
    # All of it is said when its workers have ended, too, which share its lock till then.
    return Ended(code, _read_to_end(read_end).decode().splitlines(), seconds)


def _be_janusdna(words: Sequence[str], folder: Path, before: Callable[[], object]) -> None:
    code = 99
    try:
        os.chdir(folder)
        workers.multiprocessing = _FORKING  # type: ignore[attr-defined]
        sys.argv = ["janusdna", *words]
        before()
        janusdna()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 98
    except BaseException:
        traceback.print_exc()
    finally:
        for tell in _on_exit:
            tell()
        os._exit(code)


def _read_to_end(descriptor: int) -> bytes:
    data = b""
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while select.select([file], [], [], _PATIENCE_SECONDS)[0]:
            more = file.read(1 << 16)
            if not more:
                return data
            data += more
    raise WrongError(f"its workers did not end within {_PATIENCE_SECONDS} s")


def _waited_for(pid: int) -> int:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise WrongError(f"it did not end within {_PATIENCE_SECONDS} s")


def signal_after(seconds: float, number: int) -> Disturbance:
    """A signal some time after the start."""

    def send(pid: int) -> None:
        time.sleep(seconds)
        os.kill(pid, number)

    return Disturbance(during=send)


def writes_fail_from(number: int) -> Disturbance:
    """The write of this number, from 0, of the process and its workers fails, and all after it."""

    def before() -> None:
        left = multiprocessing.Value("q", number)

        def fail(size: int) -> None:
            with left.get_lock():
                left.value -= 1
                if left.value < 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))

        _watch_writes(fail)

    return Disturbance(before)


def writes_counted(result: Path) -> Disturbance:
    """The writes of the process and its workers, and their bytes, are counted; `result` tells both."""

    def before() -> None:
        counts = multiprocessing.Array("q", 2)

        def count(size: int) -> None:
            with counts.get_lock():
                counts[0] += 1
                counts[1] += size

        _watch_writes(count)
        _on_exit.append(lambda: result.write_text(f"{counts[0]} {counts[1]}"))

    return Disturbance(before)


class _Watched(io.FileIO):
    """A file whose writes are told before they are made."""

    tell_write: Callable[[int], None]

    def write(self, data: Any) -> int | None:
        """As a file does."""
        type(self).tell_write(memoryview(data).nbytes)
        return super().write(data)


def _watch_writes(tell_write: Callable[[int], None]) -> None:
    """From now on, of all files that this process opens to write."""
    _Watched.tell_write = staticmethod(tell_write)
    real = Path.open

    def watched(path: Path, mode: str = "r", buffering: int = -1, *arguments: Any, **options: Any) -> Any:
        if "b" not in mode or not set(mode) & set("wx"):
            return real(path, mode, buffering, *arguments, **options)
        file = _Watched(path, mode.replace("b", ""))
        return file if buffering == 0 else io.BufferedWriter(file)

    Path.open = watched  # type: ignore[method-assign, assignment]


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path | None]:
    """A disk in memory of so many bytes; None where none may be mounted."""
    folder.mkdir()
    if not _succeeds("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)):
        yield None
        return
    try:
        yield folder
    finally:
        _succeeds("umount", str(folder))


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
