"""A reference genome: contigs by name, bases by coordinates."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from janusdna_cli.errors import InputError
from janusdna_cli.genome.contigs import ContigNames
from janusdna_cli.genome.fai import Records
from janusdna_cli.genome.fasta_index import cache_stem, open_indexed
from janusdna_cli.genome.known_checksums import KnownChecksums
from janusdna_cli.genome.random_access import RandomAccess

__all__ = ["Reference"]

_PIECE = 1 << 20


class Reference:
    """A FASTA file with random access; one thread at a time, others open their own.

    Args:
        path: The file as the user named it.
        file: The same, opened; closed with this.
        records: What its index says.

    Attributes:
        path: The file as the user named it.
        lengths: Bases of each contig, in the file's order.
    """

    def __init__(self, path: str, file: RandomAccess, records: Records) -> None:
        self.path = path
        self.lengths: dict[str, int] = {name: record.length for name, record in records.items()}
        self._file = file
        self._records = records
        self._names = ContigNames(self.lengths)
        self._checksums = KnownChecksums(Path(f"{cache_stem(path)}.md5"))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a FASTA file, plain or bgzip, and make its index when it has none.

        Raises:
            InputError: There is no such file, it is no FASTA, or it cannot be indexed.
        """
        return cls(str(path), *open_indexed(str(path)))

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

    def hint(self, name: str) -> str | None:
        """What to do about a name that is not found, where a contig's name is like it."""
        return self._names.hint(name)

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """The bases of [start, end), 0-based, in upper case; RNA's U is T.

        Raises:
            KeyError: The file has no contig of exactly this name.
            ValueError: The interval reaches outside the contig.
            InputError: The file is damaged.
        """
        return self.fetch_as_written(contig, start, end).upper().replace(b"U", b"T")

    def fetch_as_written(self, contig: str, start: int, end: int) -> bytes:
        """As `fetch`, with soft-masked bases in lower case and U as U."""
        length = self.lengths[contig]
        if not 0 <= start <= end <= length:
            raise ValueError(f"{contig}:{start}-{end} reaches outside the contig's {length} bases")
        return self._bases(self._file, contig, start, end)

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
            with self._file.another() as file:
                for start in range(0, length, _PIECE):
                    between()
                    piece = self._bases(file, contig, start, min(start + _PIECE, length))
                    digest.update(piece.upper())
            found = digest.hexdigest()
            self._checksums.add(contig, found)
        return found

    def _bases(self, file: RandomAccess, contig: str, start: int, end: int) -> bytes:
        if start == end:
            return b""
        record = self._records[contig]
        try:
            bases = record.bases(file.read(*record.span(start, end)), start)
        except OSError as error:
            raise self._unreadable(contig, start, end, str(error)) from error
        if bases is None:
            problem = f"its lines are not as its index says; remove {self.path}.fai"
            raise self._unreadable(contig, start, end, problem)
        return bases

    def _unreadable(self, contig: str, start: int, end: int, problem: str) -> InputError:
        return InputError(f"{self.path}: {contig}:{start}-{end} cannot be read: {problem}")
