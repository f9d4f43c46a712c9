"""Where the records of a FASTA file lie; which line is in the way, if one is.

Records start with `>name`; all lines of a record are of one length and end alike, but for its last. Blank
lines may stand before, between and after records. White space at the ends of lines is no part of the
sequence; anywhere else it is refused: programs differ in whether they count it.
"""

from dataclasses import dataclass

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.fai import Record, Records
from janusdna_cli.genome.random_access import RandomAccess
from janusdna_cli.genome.streams import BYTE_ORDER_MARK, decode, excerpt

__all__ = ["read_layout"]

_EVEN = "rewrite the file with lines of one length and one end (seqkit seq -w 60)"
_CLEAN = "remove it (sed '/^>/! s/[[:space:]]//g') and " + _EVEN
_CARRIAGE_RETURNS = (
    "found carriage returns (\\r) alone, expected line ends \\n or \\r\\n; rewrite the file (tr '\\r' '\\n')"
)


def read_layout(path: str, file: RandomAccess) -> Records:
    """Read a FASTA file from start to end.

    Args:
        path: The file as the user named it, for messages.
        file: The same, opened.

    Raises:
        InputError: The file is no FASTA.
        RecordError: It cannot be read to its end; a record has no name, another's name, lines of uneven
            length, or white space within a line.
    """
    record: _Record | None = None
    found: dict[str, _Record] = {}
    number, at = 0, 0
    try:
        for number, line in enumerate(file.stream(), start=1):
            at += len(line)
            text = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            if text.startswith(b">"):
                name = _name(text, number, path)
                _check_new(name, number, found, path)
                record = found[name] = _Record(name, number, at)
            elif record is not None:
                record.add(line, number, path)
            elif text.strip():
                raise InputError(f"{path}: starts with {excerpt(text)}, expected FASTA ('>name')")
    except OSError as error:
        raise RecordError(path, f"after line {number}", str(error)) from error
    if not found:
        raise InputError(f"{path}: holds no record, expected FASTA ('>name')")
    return {name: one.described() for name, one in found.items()}


@dataclass(slots=True)
class _Record:
    """The lines of one record so far."""

    name: str
    number: int
    offset: int
    length: int = 0
    line_bases: int = 0
    line_end: bytes = b""
    is_complete: bool = False
    # A line as long as the others that ends otherwise: its number and its end. Only the last may.
    odd_end: tuple[int, bytes] | None = None

    def add(self, line: bytes, number: int, path: str) -> None:
        """Take one more line; only the last may be shorter than the first or end otherwise."""
        words = line.split()
        bases = len(words[0]) if words else 0
        if words:
            self._check(line, words, number, path)
        self.length += bases
        if not self.line_bases:
            self.line_bases, self.line_end = bases, line[bases:]
        elif len(line) - bases != len(self.line_end):
            self.odd_end = number, line[bases:]
        self.is_complete = bases < self.line_bases or not words

    def _check(self, line: bytes, words: list[bytes], number: int, path: str) -> None:
        bases = len(words[0])
        if len(words) > 1 or line[:1].isspace():
            raise RecordError(path, f"line {number}", self._misplaced(line))
        if self.is_complete or bases > self.line_bases > 0:
            what = "follows the end of" if self.is_complete else f"and the first has {self.line_bases} in"
            found = f"a line of {bases} bases {what} record {self.name!r}"
            raise RecordError(path, f"line {number}", f"{found}, so it cannot be indexed; {_EVEN}")
        if self.odd_end is not None:
            odd, end = self.odd_end
            first = f"the first line of record {self.name!r} in {decode(self.line_end)!r}"
            found = f"ends in {decode(end)!r}, {first}, so it cannot be indexed; {_EVEN}"
            raise RecordError(path, f"line {odd}", found)

    def described(self) -> Record:
        line_bytes = self.line_bases + max(1, len(self.line_end)) if self.length else 0
        return Record(self.name, self.length, self.offset, self.line_bases, line_bytes)

    def _misplaced(self, line: bytes) -> str:
        if b"\r" in line.strip():
            return _CARRIAGE_RETURNS
        return f"white space within the sequence of record {self.name!r}, so it cannot be indexed; {_CLEAN}"


def _name(line: bytes, number: int, path: str) -> str:
    words = line[1:].split(maxsplit=1)
    if not words or line[1:2].isspace():
        found = f"found {excerpt(line)}, expected a name right after '>'"
        raise RecordError(path, f"line {number}", found)
    if b"\r" in line.rstrip():
        raise RecordError(path, f"line {number}", _CARRIAGE_RETURNS)
    return decode(words[0])


def _check_new(name: str, number: int, found: dict[str, "_Record"], path: str) -> None:
    if name in found:
        first = f"the first is at line {found[name].number}"
        problem = f"a second record named {name!r} ({first}); rename or remove one"
        raise RecordError(path, f"line {number}", problem)
