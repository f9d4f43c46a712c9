"""Where results go: a file or a folder that gets its name when it is complete, a pipe or a device, stdout."""

import errno
import io
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from janusdna_cli.errors import InputError, ReaderGoneError

__all__ = [
    "INDEX_SUFFIXES",
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
# What is added to the name of a file for that of its index.
INDEX_SUFFIXES = (".tbi", ".csi")

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
    """Whether a destination becomes a file or a folder: no standard output, no pipe, no device."""
    return destination != STDOUT and not _is_special(Path(destination))


def check_destination(destination: str, *, overwrite: bool, folder: bool = False) -> None:
    """Refuses, before any work, a destination that could not be written at the end of it.

    Args:
        destination: A path, or `-` for standard output.
        overwrite: Whether what exists may be replaced: a file, or a folder of nothing but Parquet files.
        folder: Whether a folder is to be written.

    Raises:
        InputError: It exists, is a folder where a file is expected or a file where a folder is, or lies in a
            folder that is missing or not writable; its name is too long; standard output is closed.
    """
    target = Path(destination)
    if destination in _STDOUT_NAMES and sys.stdout is None:
        raise InputError(f"{destination}: standard output is closed; choose another output")
    with reported(destination):
        if not is_file(destination) and not folder:
            return
        if folder:
            _check_folder(destination)
        elif target.is_dir():
            raise InputError(f"{destination}: is a folder, expected the name of a file to write")
        if target.exists() and not overwrite:
            raise InputError(f"{destination}: exists; pass --overwrite to replace it")
        if not overwrite:
            _check_no_index(target, destination)
    around = target.resolve().parent
    if not around.is_dir():
        raise InputError(f"{destination}: the folder {around} does not exist; create it first")
    if not os.access(around, os.W_OK | os.X_OK):
        raise InputError(f"{destination}: the folder {around} is not writable; choose another output")


def _check_folder(destination: str) -> None:
    """Whether nothing is there, or a folder of which nothing is lost but Parquet files."""
    target = Path(destination)
    if target.exists() and not target.is_dir():
        raise InputError(f"{destination}: is a file, expected the name of a folder to write")
    if not target.exists():
        return
    if others := [each.name for each in target.iterdir() if each.suffix != ".parquet" or not each.is_file()]:
        raise InputError(
            f"{destination}: exists and holds more than Parquet files ({min(others)}), so it is not "
            "replaced; choose another output"
        )


def _check_no_index(target: Path, destination: str) -> None:
    for index in _indexes(target):
        problem = "is there and would not fit it; remove it, or pass --overwrite"
        raise InputError(f"{destination}: an index of that name, {index.name}, {problem}")


@contextmanager
def written_aside(
    destination: str, *, overwrite: bool, folder: bool = False, place: Path | None = None
) -> Iterator[Path]:
    """A path to write, which becomes the destination on a clean exit and disappears on any other.

    A pipe or a device (`/dev/stdout`, a shell's `>(command)`) cannot be renamed to: it is written directly.
    What is finished and cannot get its name is kept under another, which the error tells. An index that lies
    beside the path at the end, named as it with one of `INDEX_SUFFIXES`, goes with it.

    Args:
        destination: A path.
        overwrite: Replace what exists.
        folder: Whether it is a folder, which is there and empty, instead of a file to be made.
        place: The folder in which it lies until it gets its name, on the same file system; None: beside it.

    Raises:
        InputError: As `check_destination`; also at the end, where something else made the file meanwhile.
    """
    check_destination(destination, overwrite=overwrite, folder=folder)
    target = Path(destination).resolve()
    if _is_special(target):
        yield target
        return
    token = secrets.token_hex(4)
    aside = named_beside((place or target.parent) / target.name, before=".", after=f".{token}.part")
    try:
        if folder:
            with reported(destination):
                aside.mkdir()
        yield aside
        with reported(destination):
            try:
                if overwrite:  # a file without an index is good, one beside a strange index is not
                    _remove(*_indexes(target), *_indexes(Path(destination)))
                publish = _publish_folder if folder else _publish
                publish(aside, target, overwrite=overwrite)
            except OSError as error:
                kept = aside.rename(named_beside(target, before=f"{token}."))
                found = f"{destination}: {_why_not(error)}"
                raise InputError(f"{found}; what was to be written is {kept}") from error
        for index in _indexes(aside):
            with suppress(OSError):
                index.replace(target.with_name(target.name + index.suffix))
    finally:
        if folder:
            shutil.rmtree(aside, ignore_errors=True)
        else:
            _remove(aside, *_indexes(aside))


def _publish(finished: Path, target: Path, *, overwrite: bool) -> None:
    """Gives a file its name, when all of it is on the disk.

    Raises:
        FileExistsError: A file of that name is there and not to be replaced.
        OSError: It cannot have that name.
    """
    _sync(finished)
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


def _publish_folder(finished: Path, target: Path, *, overwrite: bool) -> None:
    """The same for a folder; one that it replaces is moved away first: no folder is renamed over another."""
    for path in (*finished.iterdir(), finished):
        _sync(path)
    if not target.exists():
        finished.rename(target)
        return
    if not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    old = target.rename(named_beside(target, before=".", after=f".{secrets.token_hex(4)}.old"))
    try:
        finished.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    """Waits until a file, or a folder's list of files, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _indexes(path: Path) -> list[Path]:
    """What lies beside a file as its index."""
    possible = (path.with_name(path.name + suffix) for suffix in INDEX_SUFFIXES)
    return [index for index in possible if _is_there(index)]


def _is_there(path: Path) -> bool:
    """Also of a name that is too long for a file."""
    try:
        return path.exists()
    except OSError:
        return False


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _why_not(error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return "something else made it meanwhile, and it is left as it is"
    return f"cannot be written: {error.strerror or error}"


def named_beside(target: Path, *, before: str = "", after: str = "") -> Path:
    """A name that comes of the target's; of one too long, also with an index's suffix, a part."""
    room = _longest_name(target.parent) - len(before + after + INDEX_SUFFIXES[0])
    name = target.name
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
