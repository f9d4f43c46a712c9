"""A reference genome: contigs by name, bases by coordinates."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

import pysam

from janusdna_cli.errors import InputError
from janusdna_cli.genome.contigs import ContigNames
from janusdna_cli.genome.fasta_index import find_or_build

__all__ = ["Reference"]

_PIECE = 1 << 22


class Reference:
    """A FASTA file with random access; one thread at a time, others open their own.

    Args:
        path: The file as the user named it.
        file: The same, opened.

    Attributes:
        path: The file as the user named it.
        lengths: Bases of each contig, in the file's order.
    """

    def __init__(self, path: str, file: pysam.FastaFile) -> None:
        self.path = path
        self.lengths: dict[str, int] = dict(zip(file.references, file.lengths, strict=True))
        self._file = file
        self._names = ContigNames(self.lengths)
        self._md5: dict[str, str] = {}

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a FASTA file, plain or bgzip, and make its index when it has none.

        Raises:
            InputError: There is no such file, it is no FASTA, or it cannot be indexed.
        """
        index = find_or_build(str(path))
        verbosity = pysam.set_verbosity(0)
        try:
            file = pysam.FastaFile(
                str(Path(path).absolute()),
                filepath_index=str(index.fai),
                filepath_index_compressed=None if index.gzi is None else str(index.gzi),
            )
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: cannot be opened with the index {index.fai}; remove the index"
            ) from error
        finally:
            pysam.set_verbosity(verbosity)
        return cls(str(path), file)

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

    def md5(self, contig: str) -> str:
        """MD5 of the upper-case bases, as in SAM's M5 tag."""
        if contig not in self._md5:
            digest = hashlib.md5(usedforsecurity=False)
            length = self.lengths[contig]
            for start in range(0, length, _PIECE):
                digest.update(self.fetch(contig, start, min(start + _PIECE, length)))
            self._md5[contig] = digest.hexdigest()
        return self._md5[contig]

    def _damaged(self, contig: str, start: int, end: int) -> InputError:
        fix = "the file is damaged or was changed since it was indexed; remove its index or copy it again"
        return InputError(f"{self.path}: {contig}:{start}-{end} cannot be read: {fix}")
