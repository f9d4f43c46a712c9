"""Whether a file and a FASTA speak of the same genome: the names and the lengths of their contigs."""

import itertools
import logging
from collections.abc import Mapping
from typing import Protocol

from janusdna_cli.genome.fasta import Reference

__all__ = ["NamesSeen", "warn_of_lengths"]

# Tools that do not know a contig's length write the largest 32-bit integer, or one near it.
_NO_LENGTH = (0, *range(2**31 - 3, 2**31))
_EXAMPLES = 3

_log = logging.getLogger("janusdna")


class _Named(Protocol):
    """A FASTA, or several."""

    path: str
    lengths: dict[str, int]

    def find(self, name: str) -> str | None: ...

    def hint(self, name: str) -> str | None: ...


class NamesSeen:
    """Which of a file's contig names a FASTA does not have, and one warning about them.

    Args:
        source: The file, as messages name it.
        unit: What it holds, in the plural.
        reference: The FASTA.
    """

    def __init__(self, source: str, unit: str, reference: _Named) -> None:
        self._source = source
        self._unit = unit
        self._reference = reference
        self._seen = self._unknown = 0
        self._example: str | None = None
        self._hint: str | None = None

    def add(self, name: str, count: int = 1) -> None:
        """Note the contig of some more of what the file holds."""
        contig = self._reference.find(name)
        self._seen += count
        if contig is None:
            self._note(name, count)

    def warn(self) -> None:
        """Say so where no name is known, or where the FASTA has one like a name that it does not have."""
        if not self._unknown or not (self._hint or self._unknown == self._seen):
            return
        names = ", ".join(map(repr, itertools.islice(self._reference.lengths, _EXAMPLES)))
        _log.warning(
            "%s: %s of its %s %s lie on no contig of %s: %r is not in it, %s",
            self._source, f"{self._unknown:,}", f"{self._seen:,}", self._unit, self._reference.path,
            self._example, self._hint or f"it has names like {names}",
        )  # fmt: skip

    def _note(self, name: str, count: int) -> None:
        """Keep the first name, or the first that can be helped."""
        self._unknown += count
        if not self._hint:
            hint = self._reference.hint(name)
            if hint or self._example is None:
                self._example, self._hint = name, hint


def warn_of_lengths(source: str, declared: Mapping[str, int], reference: Reference) -> None:
    """One warning where a file's header and the FASTA have contigs of one name and of different lengths.

    Args:
        source: The file, as messages name it.
        declared: Bases of each contig, by the file's names.
        reference: The FASTA.
    """
    differing = [
        (name, length, reference.lengths[contig])
        for name, length in declared.items()
        if length not in _NO_LENGTH
        and (contig := reference.find(name)) is not None
        and reference.lengths[contig] != length
    ]
    if differing:
        name, length, here = differing[0]
        more = f" (and {len(differing) - 1:,} more differ)" if len(differing) > 1 else ""
        _log.warning(
            "%s: %s has %s bases by its header and %s in %s%s: was it called on another assembly?",
            source, name, f"{length:,}", f"{here:,}", reference.path, more,
        )  # fmt: skip
