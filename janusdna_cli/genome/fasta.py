"""A reference genome: contigs by name, bases by coordinates."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pysam

from janusdna_cli.errors import InputError
from janusdna_cli.genome.checksums import KnownChecksums
from janusdna_cli.genome.contigs import ContigNames
from janusdna_cli.genome.fai import FastaIndex
from janusdna_cli.genome.fasta_index import cache_stem, find_or_build

__all__ = ["Reference"]

_PIECE = 1 << 20


class Reference:
    """A FASTA file with random access; one thread at a time, others open their own.

    Args:
        path: The file as the user named it.
        index: Its index.

    Attributes:
        path: The file as the user named it.
        lengths: Bases of each contig, in the file's order.
    """

    def __init__(self, path: str, index: FastaIndex) -> None:
        self.path = path
        self._index = index
        self._file = _opened(path, index)
        self.lengths: dict[str, int] = dict(zip(self._file.references, self._file.lengths, strict=True))
        self._names = ContigNames(self.lengths)
        self._checksums = KnownChecksums(Path(f"{cache_stem(path)}.md5"))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a FASTA file, plain or bgzip, and make its index when it has none.

        Raises:
            InputError: There is no such file, it is no FASTA, or it cannot be indexed.
        """
        return cls(str(path), find_or_build(str(path)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def find(self, name: str) -> str | None:
        """The file's own name for a contig that another file names; None when it has none."""
        return self._names.find(name)

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """The bases of [start, end), 0-based, in upper case.

        Raises:
            KeyError: The file has no contig of exactly this name.
            ValueError: The interval reaches outside the contig.
            InputError: The file is damaged.
        """
        return self.fetch_as_written(contig, start, end).upper()

    def fetch_as_written(self, contig: str, start: int, end: int) -> bytes:
        """As `fetch`, with soft-masked bases in lower case."""
        length = self.lengths[contig]
        if not 0 <= start <= end <= length:
            raise ValueError(f"{contig}:{start}-{end} reaches outside the contig's {length} bases")
        if start == end:
            return b""
        try:
            bases = self._file.fetch(contig, start, end).encode("ascii")
        except (OSError, ValueError) as error:
            raise self._damaged(contig, start, end) from error
        if len(bases) != end - start:
            raise self._damaged(contig, start, end)
        return bytes(bases)

    def md5(self, contig: str, *, between: Callable[[], None] = lambda: None) -> str:
        """MD5 of the upper-case bases, as in SAM's M5 tag; from any thread, and known between runs.

        Args:
            contig: The file's own name.
            between: Called between pieces; what it raises ends the work.

        Raises:
            KeyError: The file has no contig of exactly this name.
            InputError: The contig cannot be read.
        """
        length = self.lengths[contig]
        found = self._checksums.get(contig)
        if found is None:
            digest = hashlib.md5(usedforsecurity=False)
            with Reference(self.path, self._index) as own:
                for start in range(0, length, _PIECE):
                    between()
                    digest.update(own.fetch(contig, start, min(start + _PIECE, length)))
            found = digest.hexdigest()
            self._checksums.add(contig, found)
        return found

    def _damaged(self, contig: str, start: int, end: int) -> InputError:
        fix = "the file is damaged or was changed since it was indexed; remove its index or copy it again"
        return InputError(f"{self.path}: {contig}:{start}-{end} cannot be read: {fix}")


def _opened(path: str, index: FastaIndex) -> pysam.FastaFile:
    verbosity = pysam.set_verbosity(0)
    try:
        return pysam.FastaFile(
            str(Path(path).absolute()),
            filepath_index=str(index.fai),
            filepath_index_compressed=None if index.gzi is None else str(index.gzi),
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened with the index {index.fai}; remove the index") from error
    finally:
        pysam.set_verbosity(verbosity)
