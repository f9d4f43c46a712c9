"""The lines of a text VCF: `##` lines, the `#CHROM` line, records.

Of a record only its first five columns are looked at: whatever is wrong behind them, the site can be read.
"""

import logging
import os
import re
from collections.abc import Iterable, Iterator

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.streams import decode, excerpt
from janusdna_cli.genome.variant import Variant
from janusdna_cli.records.header import RecordHeader, structured

__all__ = ["contig_lengths", "read_header", "read_records", "reference_of"]

_FORMAT = b"##fileformat"
_COLUMNS = b"#CHROM\t"
_FIXED_COLUMNS = 8
_REFERENCE = b"##reference="
_CONTIG = b"##contig=<"
_POSITION = re.compile(rb"-?[0-9]{1,18}")

_log = logging.getLogger("janusdna")


def read_header(lines: Iterator[tuple[int, bytes]], name: str) -> RecordHeader:
    """Read up to and including the `#CHROM` line.

    Args:
        lines: The file's lines with their 1-based numbers; left standing at the first record.
        name: The file, for messages.

    Raises:
        InputError: This is no VCF.
        RecordError: A record comes before the `#CHROM` line.
    """
    header: list[bytes] = []
    is_first, declared = True, False
    for number, line in lines:
        header.append(line)
        if line.startswith(_COLUMNS):
            return RecordHeader(name, tuple(header))
        if line.strip():
            declared = declared or (is_first and line.startswith(_FORMAT))
            _check_header_line(line, number, name, declared)
            is_first = False
    found = "is empty" if is_first else "has no #CHROM line"
    raise InputError(f"{name}: {found}, expected a VCF with the line '#CHROM POS ID REF ALT' (tab-separated)")


def reference_of(header: Iterable[bytes]) -> str | None:
    """What the first `##reference=` line names, without `file://`."""
    for line in header:
        if line.startswith(_REFERENCE):
            return os.fsdecode(line.removeprefix(_REFERENCE).strip()).removeprefix("file://") or None
    return None


def contig_lengths(header: Iterable[bytes]) -> dict[str, int]:
    """Bases of each contig whose `##contig` line gives a length."""
    lengths: dict[str, int] = {}
    for line in header:
        if line.startswith(_CONTIG):
            fields = structured(line)
            if b"ID" in fields and fields.get(b"length", b"").isdigit():
                lengths[decode(fields[b"ID"])] = int(fields[b"length"])
    return lengths


def read_records(
    lines: Iterator[tuple[int, bytes]], header: RecordHeader, *, keep: bool
) -> Iterator[Variant]:
    """Read what follows the header; blank lines and comments are no records.

    Args:
        lines: The file's lines with their 1-based numbers, from the first record on.
        header: What comes before.
        keep: Whether variants have their lines.

    Raises:
        RecordError: CHROM, POS, ID, REF and ALT cannot be told apart, POS is no integer, or the file ends
            within a line.
    """
    columns = header.lines[-1].count(b"\t") + 1
    for number, line in lines:
        variant = _record(line, columns, f"line {number}", header.name, keep=keep)
        if variant is not None:
            yield variant


def _record(line: bytes, columns: int, place: str, name: str, *, keep: bool) -> Variant | None:
    """One line of the body; None for blank lines and comments."""
    fields = line.rstrip(b"\r\n").split(b"\t", 5)
    if len(fields) < 5:
        if line.isspace() or line.startswith(b"#"):
            return None
        found = f"found {len(fields)} columns in {excerpt(line)}"
        raise RecordError(name, place, f"{found}, expected CHROM, POS, ID, REF, ALT, ... separated by tabs")
    if not line.endswith(b"\n") and line.count(b"\t") + 1 < min(columns, _FIXED_COLUMNS):
        raise RecordError(name, place, "the file ends within this line; it is cut off, copy it again")
    chrom, pos, record_id, ref, alt = (decode(field) for field in fields[:5])
    if _POSITION.fullmatch(fields[1]) is None:
        raise RecordError(
            name, place, f"POS is {excerpt(fields[1])}, expected an integer like 12345 (1-based)"
        )
    alts = () if alt == "." else tuple(alt.split(","))
    return Variant(
        chrom, int(pos), None if record_id == "." else record_id, ref, alts, line if keep else None
    )


def _check_header_line(line: bytes, number: int, name: str, declared: bool) -> None:
    """Refuse what shows that this is no VCF; in a declared one a broken meta line is a warning."""
    place = f"line {number}"
    if line.startswith(_COLUMNS.strip()):
        raise RecordError(name, place, f"found {excerpt(line)}, expected its columns separated by tabs")
    if line.startswith(b"#"):
        return
    fields = line.split(b"\t")
    if len(fields) > 4 and _POSITION.fullmatch(fields[1]):
        fix = "put the line '#CHROM POS ID REF ALT' (tab-separated) before it"
        raise RecordError(name, place, f"a record without a header before it; {fix}")
    if not declared:
        raise RecordError(name, place, f"found {excerpt(line)}, expected VCF ('##fileformat=VCFv4.x') or BCF")
    _log.warning("%s: %s: not a header line, ignored: %s", name, place, excerpt(line))
