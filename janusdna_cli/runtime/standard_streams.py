"""Standard streams as a run needs them: there, and what is said is never in the way of the work."""

import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["discard_stdout", "prepare_standard_streams", "say", "stderr_is_terminal", "stdout_reader_is_gone"]

_STDIN, _STDOUT, _STDERR = range(3)


def prepare_standard_streams() -> None:
    r"""What a program does with them before anything else.

    - No file that is opened later takes the place of a stream that is closed, and with it what libraries
      print.
    - What is written to standard error and cannot be (nobody reads it, a full disk) is dropped.
    - Standard output that was closed stays None.
    - Characters that the locale does not have are written as `\xe9`.
    """
    for number in (_STDIN, _STDOUT, _STDERR):
        _occupy(number)
    sys.stderr = io.TextIOWrapper(
        _Unheard(_STDERR, "w", closefd=False),
        encoding=getattr(sys.stderr, "encoding", "utf-8"),
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def stdout_reader_is_gone() -> bool:
    """Whether standard output is a pipe that nobody reads."""
    waiting = select.poll()
    waiting.register(_STDOUT, select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in waiting.poll(0))


def discard_stdout() -> None:
    """Keeps the interpreter's last flush from failing on a pipe that nobody reads."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def say(line: str) -> None:
    """Writes a line to standard error."""
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def stderr_is_terminal() -> bool:
    """Whether somebody watches, so that a display pays."""
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # closed
        return False


def _occupy(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        # The lowest number that is free is this one.
        os.open(os.devnull, os.O_RDONLY if number == _STDIN else os.O_WRONLY)
        os.set_inheritable(number, True)


class _Unheard(io.FileIO):
    """What cannot be written is dropped."""

    def write(self, data: "ReadableBuffer", /) -> int:
        rest = memoryview(data).cast("B")
        with suppress(OSError):
            while written := super().write(rest):
                rest = rest[written:]
        return memoryview(data).nbytes
