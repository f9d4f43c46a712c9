"""VCF and BCF files that janusdna annotated."""

from collections.abc import Callable

from janusdna_cli.errors import InputError
from janusdna_cli.genome.alleles import Status
from janusdna_cli.genome.streams import InputStream
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.provenance import facts_of
from janusdna_cli.origins.row_count import RowCount
from janusdna_cli.outputs.parquet import METADATA_KEY
from janusdna_cli.outputs.vcf_provenance import provenances
from janusdna_cli.records.bcf import info_reader
from janusdna_cli.records.header import RecordHeader
from janusdna_cli.records.text import info_value

__all__ = ["origin_of_annotated"]

_STATUS = b"JANUS_STATUS"
_MISSING = "."


def origin_of_annotated(file: str, stream: InputStream) -> Origin:
    """What annotated a VCF or BCF last.

    Args:
        file: As the user named it.
        stream: Its bytes, from the start.

    Raises:
        InputError: It cannot be read, or janusdna did not annotate it.
    """
    reader = VariantReader(stream, keep_records=True)
    runs = provenances(reader.header.lines)
    if not runs:
        raise InputError(f"{stream.name}: janusdna did not annotate it: its header has no line ##janusdna")
    rows, form = _rows(reader), "bcf" if reader.header.is_bcf else "vcf"
    earlier = {"earlier runs": f"{len(runs) - 1:,}"} if len(runs) > 1 else {}
    facts = {"file": file, "holds": f"variants with scores, in {form.upper()}"} | earlier
    record = {
        "file": file,
        "kind": "variants",
        "format": form,
        METADATA_KEY: runs[-1],
        "earlier": runs[:-1],
        **rows.record(),
    }
    return Origin(facts | facts_of(runs[-1]) | {"rows": rows.told()}, record)


def _rows(reader: VariantReader) -> RowCount:
    """A row an ALT, and one of a record that has none."""
    rows, statuses_of = RowCount(), _statuses_of(reader.header)
    for variant in reader:
        found = statuses_of(variant.record or b"")
        if not variant.alts:
            rows.add([Status.no_alt])
        elif found is None:
            rows.add([_MISSING] * len(variant.alts))
        else:
            rows.add(found.decode().split(","))
    return rows


def _statuses_of(header: RecordHeader) -> Callable[[bytes], bytes | None]:
    """What reads the statuses of a record, one an ALT."""
    return info_reader(header, _STATUS) if header.is_bcf else lambda line: info_value(line, _STATUS)
