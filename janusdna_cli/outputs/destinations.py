"""Where results go: a file that gets its name when it is complete, a pipe or a device, standard output."""

import io
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from janusdna_cli.errors import InputError

__all__ = ["STDOUT", "StandardOutput", "Stream", "check_destination", "reported", "written_aside"]

STDOUT = "-"


class Stream(Protocol):
    """What takes the bytes of an output."""

    def write(self, data: Any, /) -> int:
        """Takes bytes, all of them."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


def check_destination(destination: str, *, overwrite: bool) -> None:
    """Refuses, before any work, a destination that could not be written at the end of it.

    Raises:
        InputError: It exists, is a folder, or lies in a folder that is missing or not writable.
    """
    target = Path(destination)
    if destination == STDOUT or _is_special(target):
        return
    if target.is_dir():
        raise InputError(f"{destination}: is a folder, expected the name of a file to write")
    if target.exists() and not overwrite:
        raise InputError(f"{destination}: exists; pass --overwrite to replace it")
    folder = target.resolve().parent
    if not folder.is_dir():
        raise InputError(f"{destination}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{destination}: the folder {folder} is not writable; choose another output")


@contextmanager
def written_aside(destination: str, *, overwrite: bool) -> Iterator[Path]:
    """A path to write, which becomes the destination on a clean exit and disappears on any other.

    A pipe or a device (`/dev/stdout`, a shell's `>(command)`) cannot be renamed to: it is written directly.

    Raises:
        InputError: As `check_destination`.
    """
    check_destination(destination, overwrite=overwrite)
    target = Path(destination).resolve()
    if _is_special(target):
        yield target
        return
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield aside
        with reported(destination):
            aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def reported(destination: str) -> Iterator[None]:
    """Makes one line of what the system says of a destination; a broken pipe is left to the caller.

    Raises:
        InputError: It cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "standard output" if destination == STDOUT else destination
        reason = error.strerror or str(error)
        raise InputError(
            f"{name}: cannot be written: {reason}; make room or choose another output"
        ) from error


class StandardOutput(io.RawIOBase):
    """Standard output, which stays open for others when this is closed."""

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any, /) -> int:
        """Takes bytes, all of them."""
        if self.closed:
            raise ValueError("write to a closed stream")
        rest = memoryview(data)
        while rest:  # under `python -u` one call may take only a part
            rest = rest[sys.stdout.buffer.write(rest) :]
        return len(data)

    def close(self) -> None:
        """Sends what is kept, and takes no more."""
        try:
            if not self.closed:
                sys.stdout.buffer.flush()
        finally:
            super().close()
