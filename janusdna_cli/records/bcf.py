"""INFO that is added to the records of a BCF 2; nothing else is decoded.

Source: VCF specification 4.5, section 6.3.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence

from janusdna_cli.records.header import InfoField, RecordHeader, declaring, structured
from janusdna_cli.records.typed import Typed, typed_integer

__all__ = [
    "CONTIGS",
    "LENGTHS",
    "MAGIC",
    "SITE",
    "STRINGS",
    "BcfInfo",
    "dictionary",
    "framed_header",
    "info_reader",
]

MAGIC = b"BCF"
# Before each record: bytes of what all samples share, bytes of theirs.
LENGTHS = struct.Struct("<II")
# CHROM, POS (0-based), bases of REF, QUAL, n_info, n_allele, n_sample and n_format.
SITE = struct.Struct("<iiifHHI")

CONTIGS = ("##contig",)
STRINGS = ("##FILTER", "##INFO", "##FORMAT")

_COUNTS = struct.Struct("<HH")
_COUNTS_AT = LENGTHS.size + 16


def dictionary(lines: Iterable[bytes], kinds: Sequence[str]) -> dict[bytes, int]:
    """What records have instead of names: `IDX` of the header's lines, or their place.

    Args:
        lines: The header.
        kinds: `CONTIGS`, or `STRINGS`, which share their numbers and have PASS before all.
    """
    prefixes = tuple(f"{kind}=<".encode() for kind in kinds)
    numbers = {b"PASS": 0} if kinds is STRINGS else {}
    free = len(numbers)
    for line in lines:
        if not line.startswith(prefixes):
            continue
        pairs = structured(line)
        name, told = pairs.get(b"ID"), pairs.get(b"IDX", b"")
        if name is not None and name not in numbers:
            numbers[name] = int(told) if told.isdigit() else free
            free = max(free, numbers[name] + 1)
    return numbers


def framed_header(magic: bytes, lines: Iterable[bytes]) -> bytes:
    """What a BCF begins with."""
    text = b"".join(lines) + b"\0"
    return magic + len(text).to_bytes(4, "little") + text


class BcfInfo:
    """Adds some INFO fields to every record of a file.

    Args:
        header: Of the file.
        fields: What is added. A field of one of their names that is there already goes.

    Attributes:
        keys: By which a record names the fields, as typed integers.
        has_replaced: Whether a record had one.
    """

    def __init__(self, header: RecordHeader, fields: Sequence[InfoField]) -> None:
        self.has_replaced = False
        self._header = header
        known = dictionary(header.lines, STRINGS)
        numbers = dict(known)
        for field in fields:
            numbers.setdefault(field.key, max(numbers.values()) + 1)
        self._declarations = {
            field.key: field.declaration.removesuffix(b">") + b",IDX=%d>" % numbers[field.key]
            for field in fields
        }
        self._old = {known[field.key] for field in fields if field.key in known}
        self.keys = [typed_integer(numbers[field.key]) for field in fields]

    def header(self, *more: bytes) -> bytes:
        """The header that declares the fields, with some lines more."""
        return framed_header(self._header.magic, declaring(self._header.lines, self._declarations, more))

    def add(self, record: bytes, info: bytes) -> bytes:
        """A record with more INFO.

        Args:
            record: Lengths and both blocks.
            info: A value for each of the `keys`, after its key; may be empty.

        Raises:
            LookupError, ValueError: The record is damaged.
        """
        shared, own = LENGTHS.unpack_from(record)
        end = LENGTHS.size + shared
        n_info, n_allele = _COUNTS.unpack_from(record, _COUNTS_AT)
        first, kept = end, []
        if self._old:
            fields = list(_info(record, end, n_info, n_allele))
            first -= sum(len(field) for _, field in fields)
            kept = [field for key, field in fields if key not in self._old]
            self.has_replaced |= len(kept) < n_info
            n_info = len(kept)
        body = b"".join((record[_COUNTS_AT + _COUNTS.size : first], *kept, info))
        counts = _COUNTS.pack(n_info + (len(self.keys) if info else 0), n_allele)
        lengths = LENGTHS.pack(_COUNTS_AT - LENGTHS.size + _COUNTS.size + len(body), own)
        return b"".join((lengths, record[LENGTHS.size : _COUNTS_AT], counts, body, record[end:]))


def info_reader(header: RecordHeader, name: bytes) -> Callable[[bytes], bytes | None]:
    """What reads an INFO field of characters out of records; None where one has none.

    Args:
        header: Of the file.
        name: The field's.
    """
    number = dictionary(header.lines, STRINGS).get(name)

    def value(record: bytes) -> bytes | None:
        end = LENGTHS.size + LENGTHS.unpack_from(record)[0]
        for key, field in _info(record, end, *_COUNTS.unpack_from(record, _COUNTS_AT)):
            if key == number:
                typed = Typed(field, 0)
                typed.next()
                return typed.next().rstrip(b"\0")
        return None

    return value


def _info(record: bytes, end: int, n_info: int, n_allele: int) -> Iterator[tuple[int, bytes]]:
    """The INFO fields of a record, each with its key; they are what its shared block ends with."""
    values = Typed(record[:end], LENGTHS.size + SITE.size)
    for _ in range(1 + n_allele + 1):  # ID, alleles, FILTER
        values.next()
    for _ in range(n_info):
        begin = values.at
        key = values.integer()
        values.next()
        yield key, record[begin : values.at]
