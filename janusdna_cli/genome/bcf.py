"""The binary form of VCF: sites out of BCF 2 records.

Each record is two lengths, a block of site data and a block of genotypes; the second is skipped unread, so
thousands of samples cost little. Source: VCF specification 4.3, section 6.
"""

import re
import struct
from collections.abc import Iterator

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.streams import InputStream, decode
from janusdna_cli.genome.variant import Variant

__all__ = ["MAGIC", "contig_names", "parse_record", "read_header", "read_records"]

MAGIC = b"BCF"

_LENGTHS = struct.Struct("<II")
_SITE = struct.Struct("<iiifII")
_INTEGERS = {1: struct.Struct("<b"), 2: struct.Struct("<h"), 3: struct.Struct("<i")}
_CHARACTERS = 7
_LONG = 15
_MAX_BLOCK = 1 << 30

_CONTIG = b"##contig=<"
_ATTRIBUTE = re.compile(rb'(\w+)=("(?:[^"\\]|\\.)*"|[^,>]*)')


def read_header(stream: InputStream) -> list[bytes]:
    """Read the header's lines.

    Args:
        stream: Stands at the file's start; left at the first record.

    Raises:
        InputError: Not version 2, or cut off.
    """
    magic = stream.read(5)
    if magic[3:4] != b"\x02":
        raise InputError(f"{stream.name}: is BCF version 1 or damaged, expected BCF 2; convert it to VCF")
    size = int.from_bytes(stream.read(4), "little")
    text = stream.read(size) if size < _MAX_BLOCK else b""
    if not text or len(text) < size:
        raise InputError(f"{stream.name}: ends within its header; the file is cut off, copy it again")
    return text.rstrip(b"\x00").splitlines()


def contig_names(header: list[bytes]) -> dict[int, str]:
    """The header's contigs by the numbers that records use: IDX where given, else their order."""
    names: dict[int, str] = {}
    for line in header:
        if line.startswith(_CONTIG):
            attributes = dict(_ATTRIBUTE.findall(line.removeprefix(_CONTIG)))
            number = int(attributes.get(b"IDX", len(names)))
            names[number] = decode(attributes.get(b"ID", b""))
    return names


def read_records(stream: InputStream) -> Iterator[tuple[int, bytes]]:
    """The site data of each record with its 1-based number.

    Raises:
        RecordError: The file ends within a record, or what is there is no record.
    """
    number = 0
    while lengths := stream.read(_LENGTHS.size):
        number += 1
        if len(lengths) < _LENGTHS.size:
            raise _cut_off(stream, number)
        site_size, genotypes_size = _LENGTHS.unpack(lengths)
        if not _SITE.size <= site_size < _MAX_BLOCK:
            raise RecordError(stream.name, f"record {number}", "is damaged; copy the file again")
        site = stream.read(site_size)
        if len(site) < site_size or not _skip(stream, genotypes_size):
            raise _cut_off(stream, number)
        yield number, site


def parse_record(site: bytes, contigs: dict[int, str], place: str, name: str) -> Variant:
    """Read one record's site data.

    Args:
        site: The block that `read_records` gives.
        contigs: What `contig_names` gives.
        place: Where it stands, for messages.
        name: The file, for messages.

    Raises:
        RecordError: The block is damaged, or its contig is not in the header.
    """
    contig, pos, _, _, counts, _ = _SITE.unpack_from(site)
    if contig not in contigs:
        raise RecordError(name, place, f"its contig is number {contig}, which the header does not declare")
    try:
        record_id, ref, *alts = _strings(site, 1 + (counts >> 16))
    except (struct.error, KeyError, ValueError) as error:
        raise RecordError(name, place, "ID, REF and ALT are damaged; copy the file again") from error
    return Variant(contigs[contig], pos + 1, None if record_id in ("", ".") else record_id, ref, tuple(alts))


def _strings(site: bytes, count: int) -> list[str]:
    """ID, REF and the ALTs, which follow the fixed part as typed values."""
    strings = []
    at = _SITE.size
    for _ in range(count):
        length, at = _typed_length(site, at)
        if not 0 <= length <= len(site) - at:
            raise ValueError("a string ends outside its record")
        strings.append(decode(site[at : at + length].rstrip(b"\x00")))
        at += length
    return strings


def _typed_length(site: bytes, at: int) -> tuple[int, int]:
    """The length of the string at an offset, and the offset of its first character."""
    if at >= len(site) or site[at] & 15 not in (0, _CHARACTERS):
        raise ValueError("not a string")
    length = site[at] >> 4
    if length < _LONG:
        return length, at + 1
    integer = _INTEGERS[site[at + 1] & 15] if at + 1 < len(site) else _INTEGERS[1]
    return integer.unpack_from(site, at + 2)[0], at + 2 + integer.size


def _skip(stream: InputStream, size: int) -> bool:
    while size:
        skipped = len(stream.read(min(size, 1 << 20)))
        if not skipped:
            return False
        size -= skipped
    return True


def _cut_off(stream: InputStream, number: int) -> RecordError:
    return RecordError(
        stream.name, f"record {number}", "the file ends within it; it is cut off, copy it again"
    )
