"""MD5 of contigs, taken beside the work and kept between runs."""

import logging
import re
import threading
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Self

from janusdna_cli.errors import InputError

if TYPE_CHECKING:
    from janusdna_cli.genome.fasta import Reference

__all__ = ["Checksums", "KnownChecksums"]

_LINE = re.compile(rb"([0-9a-f]{32})\t(\S+)\n")

_log = logging.getLogger("janusdna")


class Checksums:
    """MD5 of contigs of one reference, each taken once by a thread with a file handle of its own.

    Args:
        reference: Whose contigs they are.
    """

    def __init__(self, reference: "Reference") -> None:
        self._reference = reference
        self._found: dict[str, str | None] = {}
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="checksums")
        self._closed = threading.Event()
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, contig: str) -> None:
        """Ask for a contig, by the file's own name; again for one that was asked for changes nothing."""
        if contig in self._found:
            return
        self._found[contig] = None
        self._waiting.put(contig)
        if self._thread.ident is None:
            self._thread.start()

    def result(self) -> dict[str, str | None]:
        """MD5 by contig in the order they were asked for, as soon as all are there; then it is closed.

        None for a contig that cannot be read, which is logged as a warning.
        """
        self._finish()
        if self._error is not None:
            raise self._error
        return dict(self._found)

    def close(self) -> None:
        """Give up what is not done yet."""
        self._closed.set()
        self._finish()

    def _finish(self) -> None:
        if self._thread.ident is not None:
            self._waiting.put(None)
            self._thread.join()

    def _work(self) -> None:
        try:
            while (contig := self._waiting.get()) is not None:
                self._found[contig] = self._md5(contig)
        except _ClosedError:
            pass
        except BaseException as error:
            self._error = error

    def _md5(self, contig: str) -> str | None:
        try:
            return self._reference.md5(contig, between=self._check_open)
        except InputError as error:
            _log.warning("%s; the md5 of %s is left out", error, contig)
            return None

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise _ClosedError


class _ClosedError(Exception):
    """Nobody waits for the result any more."""


class KnownChecksums:
    """What earlier runs found for one state of a file. A cache that cannot be read or written is none.

    Args:
        path: Where it is kept: a line `md5<tab>contig` each, appended as they are found.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] | None = None

    def get(self, contig: str) -> str | None:
        """The MD5 of a contig, if it is known."""
        if self._known is None:
            self._known = self._read()
        return self._known.get(contig)

    def add(self, contig: str, md5: str) -> None:
        """Keep the MD5 of a contig."""
        if self._known is None:
            self._known = self._read()
        self._known[contig] = md5
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                file.write(f"{md5}\t{contig}\n".encode())
        except OSError as error:
            _log.debug("%s: %s", self._path, error)

    def _read(self) -> dict[str, str]:
        try:
            lines = _LINE.findall(self._path.read_bytes())
            return {contig.decode(): md5.decode() for md5, contig in lines}
        except (OSError, UnicodeDecodeError) as error:
            _log.debug("%s: %s", self._path, error)
            return {}
