"""Several FASTA files read as one, such as those of several species."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from janusdna_cli.errors import InputError
from janusdna_cli.genome.contigs import ContigNames
from janusdna_cli.genome.fasta import Reference

__all__ = ["GenomeFile", "Genomes", "genome_file"]


@dataclass(frozen=True, slots=True)
class GenomeFile:
    """A FASTA file and the genome that it belongs to.

    Attributes:
        path: Of the FASTA.
        name: Of the genome, which stands before its contigs' names, as in `human.chr1`; "" for none.
    """

    path: str
    name: str = ""

    def contig(self, own: str) -> str:
        """What a contig of the file is called."""
        return f"{self.name}.{own}" if self.name else own


def genome_file(given: str) -> GenomeFile:
    """Of `FASTA` or `NAME=FASTA`; a file whose name holds a = is taken as it is where it exists."""
    name, equals, path = given.partition("=")
    if not equals or not name or os.sep in name or Path(given).exists():
        return GenomeFile(given)
    return GenomeFile(path, name)


class Genomes:
    """FASTA files with random access, read as one; one thread at a time, others open their own.

    A contig of a named genome is called `NAME.contig`, as in MAF. Files of one name are parts of one genome.

    Args:
        files: Each FASTA, and the genome that it belongs to.

    Attributes:
        path: Of the files, as messages name them.
        lengths: Bases of each contig, in the order of the files.
        genomes: The name of each contig's genome; "" where it has none.

    Raises:
        InputError: A file cannot be read, or two of them have a contig of the same name.
    """

    def __init__(self, files: Sequence[GenomeFile]) -> None:
        self.path = ", ".join(file.path for file in files)
        self.lengths: dict[str, int] = {}
        self.genomes: dict[str, str] = {}
        self._places: dict[str, tuple[Reference, str]] = {}
        self._files: dict[str, GenomeFile] = {}
        self._open = ExitStack()
        try:
            for file in files:
                self._add(file, self._open.enter_context(Reference.open(file.path)))
        except BaseException:
            self._open.close()
            raise
        self._names = ContigNames(self.lengths)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._open.close()

    @property
    def files(self) -> Mapping[str, GenomeFile]:
        """The file of each contig."""
        return self._files

    def own_name(self, contig: str) -> str:
        """What its file calls a contig."""
        return self._places[contig][1]

    def find(self, name: str) -> str | None:
        """As `Reference.find`."""
        return self._names.find(name)

    def hint(self, name: str) -> str | None:
        """As `Reference.hint`."""
        return self._names.hint(name)

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """As `Reference.fetch`."""
        reference, own = self._places[contig]
        return reference.fetch(own, start, end)

    def fetch_as_written(self, contig: str, start: int, end: int) -> bytes:
        """As `Reference.fetch_as_written`."""
        reference, own = self._places[contig]
        return reference.fetch_as_written(own, start, end)

    def _add(self, file: GenomeFile, reference: Reference) -> None:
        for own, length in reference.lengths.items():
            contig = file.contig(own)
            if contig in self.lengths:
                other = self._places[contig][0].path
                raise InputError(
                    f"{file.path}: has a contig {own}, as {other} has; name the genomes, as in "
                    f"--fasta human={other} --fasta mouse={file.path}, and intervals say human.{own}"
                )
            self.lengths[contig] = length
            self.genomes[contig] = file.name
            self._places[contig] = reference, own
            self._files[contig] = file
