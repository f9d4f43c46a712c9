"""Input as bytes: a file or stdin; plain, gzip or bgzip, told by content and not by suffix."""

import gzip
import io
import logging
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from janusdna_cli.errors import InputError, RecordError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "BYTE_ORDER_MARK",
    "CUT_OFF",
    "LACKS_END",
    "InputStream",
    "decode",
    "excerpt",
    "input_name",
    "is_bgzf",
    "is_gzip",
    "lacks_bgzf_end",
    "open_file",
    "open_regular",
]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CUT_OFF = "the compressed data ends early; the file is cut off, copy it again"

LACKS_END = "%s: the bgzip end marker is missing: the file may have been cut off"

_BUFFER = 1 << 18
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_UNREADABLE = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
# What reading a damaged, cut off or vanished file raises.
_DAMAGE = (EOFError, OSError, zlib.error)

_log = logging.getLogger("janusdna")


class InputStream:
    """Decompressed bytes of a file or of stdin.

    Args:
        source: A path, or "-" for stdin.

    Attributes:
        name: The source as messages name it.

    Raises:
        InputError: There is no such file, it cannot be read, or its compression is not gzip.
    """

    def __init__(self, source: str) -> None:
        self.name = input_name(source)
        with ExitStack() as opened:
            raw = _stdin() if source == "-" else opened.enter_context(open_file(source))
            with _damage_told(self.name):
                self._lacks_end = lacks_bgzf_end(raw)
                self._bytes = _decompressed(raw, self.name)
            if self._bytes is not raw:
                opened.callback(self._bytes.close)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; stdin stays open."""
        self._opened.close()

    def peek(self, size: int) -> bytes:
        """The next bytes, at most `size`, without moving on."""
        with _damage_told(self.name):
            return self._bytes.peek(size)[:size]

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end.

        Raises:
            InputError: The compressed data is damaged or ends early.
        """
        try:
            data = self._bytes.read(size)
        except _DAMAGE as error:
            raise InputError(f"{self.name}: {_damage(error)}") from error
        if len(data) < size:
            self._note_end()
        return data

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line with its 1-based number and its line end; a leading byte order mark is left out.

        Raises:
            RecordError: The compressed data is damaged or ends early.
        """
        number = 0
        try:
            for number, line in enumerate(self._bytes, start=1):
                yield number, line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        except _DAMAGE as error:
            raise RecordError(self.name, f"after line {number}", _damage(error)) from error
        self._note_end()

    def _note_end(self) -> None:
        if self._lacks_end:
            _log.warning(LACKS_END, self.name)


def input_name(source: str) -> str:
    """A source as messages name it."""
    return "stdin" if source == "-" else source


def open_file(path: str) -> io.BufferedReader:
    """Open a file for reading bytes.

    Raises:
        InputError: There is no such file, it is a directory, or it may not be read.
    """
    try:
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a directory, expected a file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened: {getattr(error, 'strerror', None) or error}") from error


def open_regular(path: str, kind: str) -> io.BufferedReader:
    """Open a file that is read at any place: no pipe, which can be read once, in its order.

    Args:
        path: The file.
        kind: What it should be, for messages: "FASTA".

    Raises:
        InputError: There is no such file, it is a pipe or a directory, or it may not be read.
    """
    if path == "-" or _is_pipe(path):
        name = "stdin" if path == "-" else path
        why = f"a {kind} is read at any place, which a pipe has not"
        raise InputError(f"{name}: is a pipe, expected a regular file: {why}; write it to a file first")
    return open_file(path)


def _is_pipe(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_gzip(head: bytes) -> bool:
    """Whether a file's first bytes are gzip's, bgzip's included."""
    return head.startswith(b"\x1f\x8b")


def is_bgzf(head: bytes) -> bool:
    """Whether a file's first 16 bytes are bgzip's: gzip with the extra field `BC`."""
    return head.startswith(b"\x1f\x8b\x08\x04") and head[12:14] == b"BC"


def lacks_bgzf_end(file: io.BufferedReader) -> bool:
    """Whether a bgzip file that can be read at any place does not end as bgzip ends it."""
    if not is_bgzf(file.peek(16)) or not file.seekable():
        return False
    here = file.tell()
    file.seek(0, os.SEEK_END)
    file.seek(max(here, file.tell() - len(_BGZF_END)))
    end = file.read()
    file.seek(here)
    return end != _BGZF_END


def decode(text: bytes) -> str:
    """UTF-8, or Latin-1 where it is not: a stray byte in a name costs nobody a record."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def excerpt(text: bytes, length: int = 40) -> str:
    """The start of a line, quoted for a message."""
    shown = decode(text.rstrip(b"\r\n"))
    return repr(shown if len(shown) <= length else shown[:length] + "...")


def _stdin() -> io.BufferedReader:
    if sys.stdin is None or sys.stdin.closed:
        raise InputError("stdin: is closed; pipe a file into it or name one")
    try:
        # A reader of its own: at exit Python waits for sys.stdin, which a thread may be waiting for too.
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except io.UnsupportedOperation:
        return cast(io.BufferedReader, sys.stdin.buffer)


def _decompressed(raw: io.BufferedReader, name: str) -> io.BufferedReader:
    head = raw.peek(16)
    for magic, kind in _UNREADABLE.items():
        if head.startswith(magic):
            raise InputError(f"{name}: is {kind}-compressed, expected plain, gzip or bgzip; decompress it")
    if not is_gzip(head):
        return raw
    return io.BufferedReader(_Piecewise(gzip.GzipFile(fileobj=cast(BinaryIO, raw))), _BUFFER)


class _Piecewise(io.RawIOBase):
    """Gives what was decompressed before it decompresses more: damage costs nothing that lies before it."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        data = self._file.read1(len(view))
        view[: len(data)] = data
        return len(data)


@contextmanager
def _damage_told(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise InputError(f"{name}: {_damage(error)}") from error


def _damage(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return CUT_OFF
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    return f"the compressed data is damaged ({error}); copy the file again"
