"""The header of a VCF or BCF: its lines as they came, and those that declare more INFO fields."""

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = [
    "InfoField",
    "RecordHeader",
    "contig_declarations",
    "declaring",
    "info_names",
    "line_end",
    "quoted",
    "split_lines",
    "structured",
    "unquoted",
]

_FIXED_COLUMNS = (b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO")
_INFO = b"##INFO=<"
_CONTIG = b"##contig=<"
# A key and its value, which may be quoted and then hold commas.
_PAIR = re.compile(rb'([^,=<]+)=("(?:[^"\\]|\\.)*"|[^,>]*)')


@dataclass(frozen=True)
class RecordHeader:
    """What a file has before its first record.

    Attributes:
        name: The file as messages name it.
        lines: Text up to and including the `#CHROM` line, each line with its end.
        magic: The first five bytes of a BCF; empty where the file is text.
        contigs: Names and lengths (None where nobody knows) that are declared in a BCF made of this text,
            where `lines` do not.
    """

    name: str
    lines: tuple[bytes, ...]
    magic: bytes = b""
    contigs: tuple[tuple[str, int | None], ...] = ()

    @property
    def is_bcf(self) -> bool:
        """Whether the records are BCF's."""
        return bool(self.magic)


@dataclass(frozen=True)
class InfoField:
    """An INFO field of one value an ALT.

    Attributes:
        name: What it is called.
        kind: Float or String.
        meaning: Its Description.
    """

    name: str
    kind: str
    meaning: str

    @property
    def key(self) -> bytes:
        """Its name, as text has it."""
        return self.name.encode()

    @property
    def declaration(self) -> bytes:
        """Its header line, without an end."""
        described = f"Number=A,Type={self.kind},Description={quoted(self.meaning)}"
        return f"##INFO=<ID={self.name},{described}>".encode()


def declaring(
    lines: Iterable[bytes], declarations: Mapping[bytes, bytes], more: Iterable[bytes]
) -> list[bytes]:
    """A header that declares some INFO fields.

    Args:
        lines: The header, each line with its end.
        declarations: By the fields' names, without ends. One that is declared already is declared anew in the
            same place, so that what BCF counts by place stays; the others come last.
        more: Further lines to come last, without ends.

    Returns:
        Lines with their ends; the `#CHROM` line has at least the eight columns that hold INFO.
    """
    *before, columns = lines
    end = line_end(columns) or b"\n"
    pending = dict(declarations)
    kept = []
    for line in before:
        name = structured(line).get(b"ID") if line.startswith(_INFO) else None
        if name not in declarations:
            kept.append(line)
        elif name in pending:
            kept.append(pending.pop(name) + end)
    return [*kept, *(line + end for line in (*pending.values(), *more)), _eight_columns(columns)]


def contig_declarations(header: RecordHeader) -> list[bytes]:
    """Lines, without ends, for those of a header's `contigs` that its lines do not declare."""
    known = {structured(line).get(b"ID") for line in header.lines if line.startswith(_CONTIG)}
    return [
        f"##contig=<ID={name}{'' if length is None else f',length={length}'}>".encode()
        for name, length in header.contigs
        if name.encode() not in known
    ]


def info_names(lines: Iterable[bytes]) -> set[bytes]:
    """The INFO fields that are declared."""
    found = (structured(line).get(b"ID") for line in lines if line.startswith(_INFO))
    return {name for name in found if name is not None}


def split_lines(text: bytes) -> tuple[bytes, ...]:
    """Lines with their ends."""
    return tuple(io.BytesIO(text))


def line_end(line: bytes) -> bytes:
    r"""`\r\n`, `\n` or, at the end of a file, nothing."""
    return line[len(line.rstrip(b"\r\n")) :]


def structured(line: bytes) -> dict[bytes, bytes]:
    """The pairs of a line such as `##INFO=<ID=X,Number=1>`; quotes stay."""
    return dict(_PAIR.findall(line.partition(b"<")[2]))


def quoted(text: str) -> str:
    """As the value of a pair."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquoted(value: str) -> str:
    """What a value was before it was quoted."""
    return re.sub(r"\\(.)", r"\1", value.removeprefix('"').removesuffix('"'))


def _eight_columns(line: bytes) -> bytes:
    end = line_end(line)
    columns = line[: len(line) - len(end)].split(b"\t")
    return b"\t".join([*columns, *_FIXED_COLUMNS[len(columns) :]]) + end
