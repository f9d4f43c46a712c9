"""The tables of a FASTA index, and whether they agree with the file they stand for."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from janusdna_cli.genome.streams import open_file

__all__ = ["FastaIndex", "agrees"]

_BGZF_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class FastaIndex:
    """The files of one index.

    Attributes:
        fai: Names, lengths and places of the records.
        gzi: Where the blocks of a bgzip file start; None for a plain file.
    """

    fai: Path
    gzi: Path | None

    @classmethod
    def at(cls, stem: str | Path, compressed: bool) -> "FastaIndex":
        """The index whose files are `stem` with a suffix added."""
        return cls(Path(f"{stem}.fai"), Path(f"{stem}.gzi") if compressed else None)

    def files(self) -> list[Path]:
        """Its files, the .fai last: once it is there the index is complete."""
        return [self.fai] if self.gzi is None else [self.gzi, self.fai]


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a .fai; offsets are bytes of the decompressed file."""

    name: str
    length: int
    offset: int
    line_bases: int
    line_bytes: int

    @property
    def end(self) -> int:
        """After the last base, before its line end."""
        if not self.length:
            return self.offset
        full_lines = (self.length - 1) // self.line_bases
        return self.offset + self.length + full_lines * (self.line_bytes - self.line_bases)


def agrees(index: FastaIndex, path: str) -> bool:
    """Whether an index is complete, not older than its file, and describes it."""
    try:
        changed = Path(path).stat().st_mtime_ns
        if any(file.stat().st_mtime_ns < changed for file in index.files()):
            return False
        rows = _rows(index.fai)
        return _blocks_agree(rows, index.gzi, path) if index.gzi else _records_agree(rows, path)
    except (OSError, ValueError, TypeError, ZeroDivisionError):
        return False


def _rows(fai: Path) -> list[_Row]:
    rows = []
    for line in fai.read_text().splitlines():
        name, *numbers = line.split("\t")
        rows.append(_Row(name, *map(int, numbers)))
    if not rows:
        raise ValueError("an index of nothing")
    return rows


def _records_agree(rows: list[_Row], path: str) -> bool:
    """Whether one header line with the row's name, and nothing else, stands before each row's sequence."""
    ends = [0, *(row.end for row in rows)]
    with open_file(path) as file:
        for row, (end, _) in zip(rows, pairwise(ends), strict=True):
            file.seek(end)
            header = file.read(max(0, row.offset - end)).strip()
            words = header.split(maxsplit=1)
            if b"\n" in header or words[:1] != [b">" + row.name.encode()]:
                return False
        file.seek(ends[-1] - 1)
        return len(file.read(1)) == 1 and not file.read(_BGZF_BLOCK).strip()


def _blocks_agree(rows: list[_Row], gzi: Path, path: str) -> bool:
    """Whether the last block starts within the file and the last record ends near it."""
    table = gzi.read_bytes()
    count = int.from_bytes(table[:8], "little")
    if len(table) != 8 + 16 * count:
        return False
    in_file, in_text = (int.from_bytes(table[-16:][at : at + 8], "little") * bool(count) for at in (0, 8))
    return in_file < Path(path).stat().st_size and abs(rows[-1].end - in_text) <= _BGZF_BLOCK
