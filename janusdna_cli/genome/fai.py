"""The table of a FASTA's records (`.fai`), and whether it describes a file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from janusdna_cli.genome.random_access import RandomAccess
from janusdna_cli.genome.streams import BYTE_ORDER_MARK, decode

__all__ = ["Record", "Records", "describes", "read_fai", "write_fai"]

_PIECE = 1 << 20
# More than this between two sequences is no header.
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """Where the bases of one record are: lines of one length, of which the last may be shorter.

    Attributes:
        name: Up to the header's first white space.
        length: Bases.
        offset: Of the first base, in bytes of the decompressed file.
        line_bases: Bases of a whole line.
        line_bytes: The same with its end.
    """

    name: str
    length: int
    offset: int
    line_bases: int
    line_bytes: int

    def __post_init__(self) -> None:
        if min(self.length, self.offset) < 0 or (self.length and not 0 < self.line_bases <= self.line_bytes):
            raise ValueError(f"no record of a FASTA: {self}")

    @property
    def end(self) -> int:
        """After the last base, before its line's end."""
        return self.span(0, self.length)[1]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The bytes [start, end) that hold the bases [start, end), 0-based."""
        if start == end:
            return self.offset, self.offset
        return self._place(start), self._place(end - 1) + 1

    def bases(self, data: bytes, start: int) -> bytes | None:
        """The bases in the bytes of a span that begins with base `start`, as written.

        None where lines do not end where they should, or white space stands elsewhere.
        """
        first = self.line_bases - start % self.line_bases
        gaps = range(first, first + self.line_bytes - self.line_bases)
        ends = b"".join(data[gap :: self.line_bytes] for gap in gaps)
        blank = np.count_nonzero(np.frombuffer(data, np.uint8) <= ord(" "))
        if blank != len(ends) or ends.strip():
            return None
        for letter in set(ends):
            data = data.replace(bytes([letter]), b"")
        return data

    def _place(self, base: int) -> int:
        line, column = divmod(base, self.line_bases)
        return self.offset + line * self.line_bytes + column


# By name, in the file's order.
Records = dict[str, Record]


def read_fai(path: Path) -> Records:
    """Read a table.

    Raises:
        OSError: There is no such file.
        ValueError: It is no such table, or two records have one name.
    """
    records: Records = {}
    for line in path.read_bytes().splitlines():
        name, length, offset, line_bases, line_bytes, *_ = line.split(b"\t")
        record = Record(decode(name), int(length), int(offset), int(line_bases), int(line_bytes))
        if record.name in records:
            raise ValueError(f"{path}: two records named {record.name!r}")
        records[record.name] = record
    return records


def write_fai(records: Iterable[Record], path: Path) -> None:
    """Write a table that samtools reads."""
    with path.open("w", encoding="utf-8") as file:
        for one in records:
            file.write(f"{one.name}\t{one.length}\t{one.offset}\t{one.line_bases}\t{one.line_bytes}\n")


def describes(records: Records, file: RandomAccess) -> bool:
    """Whether the whole of a file is as a table says: headers and bases where they should be, and no others.

    Raises:
        OSError: Part of the file cannot be read.
    """
    at = 0
    for record in records.values():
        if not _is_header(record, at, file) or not _holds(record, file):
            return False
        at = record.end
    return bool(records) and file.size - at <= _LONGEST_HEADER and not file.read(at, file.size).strip()


def _is_header(record: Record, start: int, file: RandomAccess) -> bool:
    """Whether the record's header, and nothing else, stands between `start` and its first base."""
    if not 0 < record.offset - start <= _LONGEST_HEADER or record.offset > file.size:
        return False
    text = file.read(start, record.offset)
    before, _, header = text.removeprefix(BYTE_ORDER_MARK if start == 0 else b"").partition(b">")
    starts_a_line = before.endswith(b"\n") or (start == 0 and not before)
    is_one_line = header.endswith(b"\n") and len(header.rstrip().splitlines()) == 1
    if before.strip() or not starts_a_line or not is_one_line or header[:1].isspace():
        return False
    return decode(header.split(maxsplit=1)[0]) == record.name


def _holds(record: Record, file: RandomAccess) -> bool:
    if record.end > file.size:
        return False
    for start in range(0, record.length, _PIECE):
        span = record.span(start, min(start + _PIECE, record.length))
        if record.bases(file.read(*span), start) is None:
            return False
    return True
