"""The records of a BCF 2: of each its site, and where it is asked for the record as it came.

Nothing behind the alleles is looked at: FILTER, INFO and samples may be anything.
"""

import itertools
import struct
from collections.abc import Iterator

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.streams import InputStream, decode
from janusdna_cli.genome.variant import Variant
from janusdna_cli.records.bcf import CONTIGS, LENGTHS, MAGIC, SITE, dictionary
from janusdna_cli.records.header import RecordHeader
from janusdna_cli.records.typed import Typed

__all__ = ["read_header", "read_records"]

_VERSION = b"\x02"
_COLUMNS = b"#CHROM\t"


def read_header(stream: InputStream) -> RecordHeader:
    """Read up to the first record.

    Args:
        stream: Stands at the file's start.

    Raises:
        InputError: Not version 2, or cut off.
    """
    magic = stream.read(len(MAGIC) + 2)
    if magic[len(MAGIC) : len(MAGIC) + 1] not in (_VERSION, b""):
        raise InputError(f"{stream.name}: is BCF version 1 or damaged, expected BCF 2; convert it to VCF")
    size = int.from_bytes(stream.read(4), "little")
    text = stream.read(size)
    lines = text.rstrip(b"\0\n").split(b"\n")
    if len(text) < size or not lines[-1].startswith(_COLUMNS):
        problem = "ends within its header, or the header is damaged; copy the file again"
        raise InputError(f"{stream.name}: {problem}")
    return RecordHeader(stream.name, tuple(line + b"\n" for line in lines), magic)


def read_records(stream: InputStream, header: RecordHeader, *, keep: bool) -> Iterator[Variant]:
    """Read what follows the header.

    Args:
        stream: Stands at the first record.
        header: What comes before.
        keep: Whether variants have the bytes of their records.

    Raises:
        InputError: The compressed data is damaged or ends early.
        RecordError: The file ends within a record, or it is damaged.
    """
    contigs = {number: decode(name) for name, number in dictionary(header.lines, CONTIGS).items()}
    for number in itertools.count(1):
        lengths = stream.read(LENGTHS.size)
        if not lengths:
            return
        try:
            shared, own = LENGTHS.unpack(lengths)
            blocks = stream.read(shared + own)
            if len(blocks) < shared + own:
                raise ValueError("the file ends within a record")
            variant = _variant(blocks[:shared], contigs, lengths + blocks if keep else None)
        except (LookupError, ValueError, struct.error) as error:
            problem = "is damaged, or the file ends within it; copy the file again"
            raise RecordError(stream.name, f"record {number}", problem) from error
        yield variant


def _variant(shared: bytes, contigs: dict[int, str], record: bytes | None) -> Variant:
    chrom, pos, _, _, _, n_allele, _ = SITE.unpack_from(shared)
    values = Typed(shared, SITE.size)
    name, *alleles = [decode(values.next()) for _ in range(1 + n_allele)]
    ref = alleles[0] if alleles else ""
    return Variant(
        contigs[chrom], pos + 1, None if name in ("", ".") else name, ref, tuple(alleles[1:]), record
    )
