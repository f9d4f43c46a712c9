"""Transcripts of a file of genes: GTF, GFF3 or one of UCSC's genePred tables, told by content.

A line that cannot be read is passed over; one warning tells of all of them.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator
from typing import Protocol

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.gathering import COLUMNS
from janusdna_cli.genome.gene_pred import GenePredReader, is_gene_pred
from janusdna_cli.genome.gff import GffReader
from janusdna_cli.genome.gtf import GtfReader
from janusdna_cli.genome.streams import InputStream, excerpt
from janusdna_cli.genome.transcripts import Transcript

__all__ = ["read_transcripts"]

_FORMATS = "GTF, GFF3 or a genePred table such as refGene.txt"
# Of a file none of whose first lines looks like genes no more is read.
_MOST_UNLIKE = 1000
_GFF3 = re.compile(rb"\s*[\w:.-]+\s*=")
_GTF = re.compile(rb"\s*\w+\s+\S")

_log = logging.getLogger("janusdna")

# A line's number and its columns.
Line = tuple[int, list[bytes]]


class _Reader(Protocol):
    """Of one format."""

    def add(self, fields: list[bytes]) -> Transcript | None:
        """Take a line's columns; the transcript that is complete with it."""
        ...

    def finish(self) -> Iterator[Transcript]:
        """All others."""
        ...


class _PassedOver:
    """The lines of a file that could not be read."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.count = 0
        self.first: RecordError | None = None

    def add(self, line: int, problem: str) -> None:
        """Note one."""
        self.count += 1
        if self.first is None:
            self.first = RecordError(self._source, f"line {line}", problem)

    def warn(self) -> None:
        """Tell of them, where there are any."""
        if self.first is not None:
            more = f"; {self.count - 1:,} more lines were passed over" if self.count > 1 else ""
            _log.warning("%s; the line is passed over%s", self.first, more)


def read_transcripts(source: str) -> Iterator[Transcript]:
    """The transcripts of a file, those of GTF and GFF3 in the order of their first lines.

    Args:
        source: A path, or "-" for stdin; plain, gzip or bgzip.

    Raises:
        InputError: The file cannot be read or holds no transcript.
        RecordError: No line of it can be read.
    """
    with InputStream(source) as stream:
        passed_over = _PassedOver(stream.name)
        is_empty = True
        for transcript in _read(_lines(stream), passed_over):
            is_empty = False
            yield transcript
        if is_empty:
            raise passed_over.first or InputError(
                f"{stream.name}: holds no transcript, expected {_FORMATS}, with lines of exons or CDS"
            )
        passed_over.warn()


def _lines(stream: InputStream) -> Iterator[Line]:
    """Those with columns: neither blank, nor comments, nor the sequences at the end of GFF3."""
    for number, line in stream.lines():
        if line.startswith(b"##FASTA"):
            return
        if line.strip() and not line.startswith((b"#", b"track ", b"browser ")):
            yield number, line.rstrip(b"\r\n").split(b"\t")


def _read(lines: Iterator[Line], passed_over: _PassedOver) -> Iterator[Transcript]:
    reader, seen = _reader_of(lines, passed_over)
    if reader is None:
        return
    for number, fields in itertools.chain(seen, lines):
        try:
            found = reader.add(fields)
        except ValueError as error:
            passed_over.add(number, str(error))
        else:
            if found is not None:
                yield found
    yield from reader.finish()


def _reader_of(lines: Iterator[Line], passed_over: _PassedOver) -> tuple[_Reader | None, list[Line]]:
    """The reader of the format that the first line of any has, and that line."""
    for number, fields in itertools.islice(lines, _MOST_UNLIKE):
        if len(fields) == COLUMNS and _GFF3.match(fields[8]):
            return GffReader(), [(number, fields)]
        if len(fields) == COLUMNS and _GTF.match(fields[8]):
            return GtfReader(), [(number, fields)]
        if is_gene_pred(fields):
            return GenePredReader(), [(number, fields)]
        whole = b"\t".join(fields)
        passed_over.add(number, f"found {excerpt(whole)}, expected {_FORMATS}")
    return None, []
