"""Where results go: a file that gets its name when it is complete, a pipe or a device, standard output."""

import errno
import io
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from janusdna_cli.errors import InputError, ReaderGoneError

__all__ = [
    "STDOUT",
    "StandardOutput",
    "Stream",
    "check_destination",
    "is_file",
    "named_beside",
    "reported",
    "written_aside",
]

STDOUT = "-"

_STDOUT_NAMES = (STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
_LONGEST_NAME = 255  # bytes, where the file system does not say


class Stream(Protocol):
    """What takes the bytes of an output."""

    def write(self, data: Any, /) -> int:
        """Takes bytes, all of them."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


def is_file(destination: str) -> bool:
    """Whether a destination is a file or becomes one: no standard output, no pipe, no device."""
    return destination != STDOUT and not _is_special(Path(destination))


def check_destination(destination: str, *, overwrite: bool) -> None:
    """Refuses, before any work, a destination that could not be written at the end of it.

    Raises:
        InputError: It exists, is a folder, or lies in a folder that is missing or not writable; its name is
            too long; standard output is closed.
    """
    target = Path(destination)
    if destination in _STDOUT_NAMES and sys.stdout is None:
        raise InputError(f"{destination}: standard output is closed; choose another output")
    with reported(destination):
        if not is_file(destination):
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
def written_aside(destination: str, *, overwrite: bool, folder: Path | None = None) -> Iterator[Path]:
    """A path to write, which becomes the destination on a clean exit and disappears on any other.

    A pipe or a device (`/dev/stdout`, a shell's `>(command)`) cannot be renamed to: it is written directly.
    What is finished and cannot get its name is kept under another, which the error tells.

    Args:
        destination: A path.
        overwrite: Replace a file that exists.
        folder: Where it is written until it gets its name, on the same file system; None for beside it.

    Raises:
        InputError: As `check_destination`; also at the end, where something else made the file meanwhile.
    """
    check_destination(destination, overwrite=overwrite)
    target = Path(destination).resolve()
    if _is_special(target):
        yield target
        return
    token = secrets.token_hex(4)
    aside = named_beside((folder or target.parent) / target.name, before=".", after=f".{token}.part")
    try:
        yield aside
        with reported(destination):
            try:
                _publish(aside, target, overwrite=overwrite)
            except OSError as error:
                kept = aside.rename(named_beside(target, before=f"{token}."))
                found = f"{destination}: {_why_not(error)}"
                raise InputError(f"{found}; what was to be written is {kept}") from error
    finally:
        aside.unlink(missing_ok=True)


def _publish(finished: Path, target: Path, *, overwrite: bool) -> None:
    """Gives a file its name, when all of it is on the disk.

    Raises:
        FileExistsError: A file of that name is there and not to be replaced.
        OSError: It cannot have that name.
    """
    with finished.open("rb") as file:
        os.fsync(file.fileno())
    if overwrite:
        finished.replace(target)
        return
    try:
        os.link(finished, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, where nothing else refuses to replace
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        finished.replace(target)


def _why_not(error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return "something else made it meanwhile, and it is left as it is"
    return f"cannot be written: {error.strerror or error}"


def named_beside(target: Path, *, before: str = "", after: str = "") -> Path:
    """A name that comes of the target's; where the sum is longer than a name may be, less of it."""
    name, room = target.name, _longest_name(target.parent) - len(before + after)
    while len(os.fsencode(name)) > room:
        name = name[1:]  # what a file is says its suffix
    return target.with_name(before + name + after)


def _longest_name(folder: Path) -> int:
    """In bytes."""
    with suppress(OSError, ValueError):
        return os.pathconf(folder, "PC_NAME_MAX")
    return _LONGEST_NAME


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def reported(destination: str) -> Iterator[None]:
    """Makes one line of what the system says of a destination.

    Raises:
        InputError: It cannot be written.
        ReaderGoneError: It is a pipe, and its reader has gone.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError(*error.args) from None
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
