"""Records with INFO added, in the form in which they came or in the other one, VCF or BCF.

Text becomes text and BCF becomes BCF without anything else of a record being touched. Between the two
htslib changes the form: of BCF before INFO is added, so that no digit is lost; of text after it.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace

from janusdna_cli.errors import RecordError
from janusdna_cli.outputs.htslib import Converter
from janusdna_cli.outputs.vcf_provenance import provenance_line
from janusdna_cli.records.bcf import BcfInfo, framed_header
from janusdna_cli.records.header import (
    InfoField,
    RecordHeader,
    contig_declarations,
    info_names,
    split_lines,
)
from janusdna_cli.records.text import TextInfo

__all__ = ["Annotation"]

_BATCH_BYTES = 1 << 20

_log = logging.getLogger(__name__)


class Annotation:
    """Adds some INFO fields to the records of a file.

    Args:
        source: The header that they come with.
        fields: What is added. One of the same name that is there already goes, with a warning.
        metadata: What made the values.
        is_bcf: Whether BCF is to come of it.

    Attributes:
        header: What an output begins with.
        info: In which form the values are taken: text's or BCF's.
        batch_bytes: Of records that are best given at once.

    Raises:
        InputError: The header does not go into the other form.
    """

    def __init__(
        self,
        source: RecordHeader,
        fields: Sequence[InfoField],
        metadata: Mapping[str, object],
        *,
        is_bcf: bool,
    ) -> None:
        self._name = source.name
        self._names = {field.key for field in fields}
        self._records = 0
        self._before = self._after = None
        if source.is_bcf and not is_bcf:
            self._before = Converter(source.name, framed_header(source.magic, source.lines), to="text")
            source = replace(source, lines=split_lines(self._before.header), magic=b"")
        self.info: TextInfo | BcfInfo = (BcfInfo if source.is_bcf else TextInfo)(source, fields)
        self._is_warned = False
        self._warn(self._names & info_names(source.lines))
        origin = provenance_line(metadata, source.lines)
        if is_bcf and not source.is_bcf:
            text = self.info.header(*contig_declarations(source), origin)
            self._after = Converter(source.name, text, to="bcf")
            self.header = self._after.header
        else:
            self.header = self.info.header(origin)
        converts = self._before is not None or self._after is not None
        self.batch_bytes = max(_BATCH_BYTES, 4 * len(self.header)) if converts else 0

    def added(self, records: Sequence[bytes], values: Sequence[bytes]) -> bytes:
        """Records with their values, one after the other.

        Args:
            records: As they came.
            values: For each of them the fields, as `info` takes them; empty for one that gets none.

        Raises:
            RecordError: One is damaged, or does not go into the other form.
        """
        if self._before is not None:
            records = split_lines(self._before.convert(records))
        annotated = [self._add(*each) for each in zip(records, values, strict=True)]
        if self.info.has_replaced:
            self._warn(self._names)
        return b"".join(annotated) if self._after is None else self._after.convert(annotated)

    def _add(self, record: bytes, values: bytes) -> bytes:
        self._records += 1
        try:
            return self.info.add(record, values)
        except (LookupError, ValueError, struct.error) as error:
            problem = "its INFO is damaged; copy the file again"
            raise RecordError(self._name, f"record {self._records}", problem) from error

    def _warn(self, replaced: set[bytes]) -> None:
        if replaced and not self._is_warned:
            names = ", ".join(sorted(name.decode() for name in replaced))
            _log.warning("%s: INFO has %s of an earlier run, which this run replaces", self._name, names)
            self._is_warned = True
