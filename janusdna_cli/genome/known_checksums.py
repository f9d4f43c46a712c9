"""MD5 of contigs, kept between runs."""

import logging
import re
from pathlib import Path

__all__ = ["KnownChecksums"]

_LINE = re.compile(rb"([0-9a-f]{32})\t(\S+)\n")

_log = logging.getLogger("janusdna")


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
