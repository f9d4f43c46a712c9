"""MD5 of contigs, taken beside the work."""

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference

__all__ = ["Checksums"]

_log = logging.getLogger("janusdna")


class Checksums:
    """MD5 of contigs of one reference, each taken once by a thread with a file handle of its own.

    Args:
        reference: Whose contigs they are; None where there are none.
    """

    def __init__(self, reference: Reference | None) -> None:
        self._reference = reference
        self._found: dict[str, Future[str | None]] = {}
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="checksums")
        self._closed = threading.Event()

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
        self._found[contig] = Future()
        self._waiting.put(contig)
        if self._thread.ident is None:
            self._thread.start()

    def of(self, contigs: Iterable[str]) -> dict[str, str | None]:
        """MD5 by contig of some that were asked for, as soon as they are there.

        None for a contig that cannot be read, which is logged as a warning.
        """
        return {contig: self._found[contig].result() for contig in contigs}

    def result(self) -> dict[str, str | None]:
        """MD5 of all contigs that were asked for, in this order."""
        return self.of(self._found)

    def close(self) -> None:
        """Give up what is not done yet."""
        self._closed.set()
        if self._thread.ident is not None:
            self._waiting.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (contig := self._waiting.get()) is not None:
            try:
                self._found[contig].set_result(self._md5(contig))
            except BaseException as error:
                self._found[contig].set_exception(error)

    def _md5(self, contig: str) -> str | None:
        if self._reference is None:
            raise ValueError(f"{contig} is a contig of no reference")
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
