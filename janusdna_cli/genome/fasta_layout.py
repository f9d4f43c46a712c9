"""Whether a FASTA file can be indexed: which line is in the way, if one is.

Records start with `>name`; all lines of a record are of one length, but for its last. Blank lines may stand
before, between and after records.
"""

from dataclasses import dataclass

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.streams import InputStream, decode, excerpt

__all__ = ["check_layout"]

_EVEN = "rewrite the file with lines of one length (seqkit seq -w 60)"


def check_layout(path: str) -> None:
    """Read a FASTA file, plain or compressed, from start to end.

    Raises:
        InputError: The file cannot be read or is no FASTA.
        RecordError: A record has no name, another's name, or lines of uneven length.
    """
    record: _Record | None = None
    seen: dict[str, int] = {}
    with InputStream(path) as stream:
        for number, line in stream.lines():
            if line.startswith(b">"):
                record = _Record(_new_name(line, number, seen, path))
            elif record is not None:
                record.add(line, number, path)
            elif line.strip():
                raise InputError(f"{path}: starts with {excerpt(line)}, expected FASTA ('>name')")
    if not seen:
        raise InputError(f"{path}: holds no record, expected FASTA ('>name')")


@dataclass(slots=True)
class _Record:
    """The lines of one record so far."""

    name: str
    width: int = 0
    complete: bool = False

    def add(self, line: bytes, number: int, path: str) -> None:
        """Take one more line; only the last may be shorter than the first."""
        bases = len(line.rstrip())
        if bases and (self.complete or bases > self.width > 0):
            what = "follows the end of" if self.complete else f"and the first has {self.width} in"
            found = f"a line of {bases} bases {what} record {self.name!r}"
            raise RecordError(path, f"line {number}", f"{found}, so it cannot be indexed; {_EVEN}")
        self.width = self.width or bases
        self.complete = bases < self.width or not bases


def _new_name(line: bytes, number: int, seen: dict[str, int], path: str) -> str:
    words = line[1:].split(maxsplit=1)
    place = f"line {number}"
    if not words or line[1:2].isspace():
        raise RecordError(path, place, f"found {excerpt(line)}, expected a name right after '>'")
    name = decode(words[0])
    if name in seen:
        first = f"the first is at line {seen[name]}"
        raise RecordError(path, place, f"a second record named {name!r} ({first}); rename or remove one")
    seen[name] = number
    return name
