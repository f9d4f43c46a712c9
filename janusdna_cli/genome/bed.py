"""BED regions, read one line at a time.

The format (https://samtools.github.io/hts-specs/BEDv1.pdf): fields separated by tabs:
`chrom start end`, 0-based half-open; then up to nine of fixed meaning (name, score, strand, ...), then any.

Deliberate deviations:

- A header without `#` (`chrom start end`, `chrom chromStart chromEnd`) may be the first line.
- A line without any tab is split at white space.
- `start == end` is a region of no bases, kept.
- A sixth column that holds no strand (JASPAR's, some tables') is a column like others: strand None.
- Fields from the fourth on are never checked, so that narrowPeak and the like are BED too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from janusdna_cli.errors import RecordError
from janusdna_cli.genome.streams import InputStream, decode, excerpt

__all__ = ["Region", "read_regions"]

# 18 digits: whatever fits is a 64-bit integer.
_INTEGER = re.compile(rb"\s*(-?[0-9]{1,18})\s*")
_START_NAMES = ("start", "begin", "from")
_END_NAMES = ("end", "stop", "to")


@dataclass(frozen=True, slots=True)
class Region:
    """One BED line.

    Attributes:
        chrom: The contig, as in the file.
        start: First base, 0-based.
        end: After the last base, 0-based.
        name: The fourth column.
        strand: The sixth column where it is `+`, `-` or `.`.
        extra: All columns from the fourth on, as in the file.
        line: 1-based line number.
    """

    chrom: str
    start: int
    end: int
    name: str | None
    strand: str | None
    extra: tuple[str, ...]
    line: int


def read_regions(source: str) -> Iterator[Region]:
    """The regions of a BED file in file order, holding one line at a time.

    Args:
        source: A path, or "-" for stdin; plain, gzip or bgzip.

    Raises:
        InputError: The file cannot be read.
        RecordError: A line is no BED line.
    """
    with InputStream(source) as stream:
        first = True
        for number, line in stream.lines():
            fields = _fields(line)
            if fields and not (first and _is_header(fields)):
                yield _region(fields, number, stream.name)
            first = first and not fields


def _fields(line: bytes) -> list[bytes]:
    """The columns of a line; none for blank, comment, `track` and `browser` lines."""
    words = line.split(maxsplit=1)
    if not words or line.startswith(b"#") or words[0] in (b"track", b"browser"):
        return []
    return line.rstrip(b"\r\n").split(b"\t") if b"\t" in line else line.split()


def _is_header(fields: list[bytes]) -> bool:
    if len(fields) < 3:
        return False
    start, end = (field.decode("latin-1").strip().lower() for field in fields[1:3])
    return start.endswith(_START_NAMES) and end.endswith(_END_NAMES)


def _region(fields: list[bytes], line: int, path: str) -> Region:
    chrom, start, end = _position(fields, line, path)
    extra = tuple(decode(field) for field in fields[3:])
    strand = extra[2] if len(extra) > 2 and extra[2] in ("+", "-", ".") else None
    return Region(chrom, start, end, extra[0] if extra else None, strand, extra, line)


def _position(fields: list[bytes], line: int, path: str) -> tuple[str, int, int]:
    place = f"line {line}"
    if len(fields) < 3:
        found = excerpt(b"\t".join(fields))
        raise RecordError(path, place, f"found {found}, expected chrom, start and end separated by tabs")
    start = _coordinate(fields[1], "start", place, path)
    end = _coordinate(fields[2], "end", place, path)
    if end < start:
        raise RecordError(path, place, f"end {end} lies before start {start}; swap them or remove the line")
    return decode(fields[0]), start, end


def _coordinate(field: bytes, column: str, place: str, path: str) -> int:
    match = _INTEGER.fullmatch(field)
    if match is None:
        found = excerpt(field)
        raise RecordError(path, place, f"{column} is {found}, expected an integer like 12345 (0-based)")
    if (value := int(match[1])) < 0:
        raise RecordError(path, place, f"{column} is {value}, expected 0 or more; BED counts from 0")
    return value
