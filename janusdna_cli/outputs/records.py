"""Tables of variants as VCF or BCF: the records that they come from, with some columns as INFO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janusdna_cli.outputs.annotation import Annotation
from janusdna_cli.outputs.destinations import Stream
from janusdna_cli.outputs.info_values import Starts, as_bcf, as_text, fields_of
from janusdna_cli.records.bcf import BcfInfo
from janusdna_cli.records.header import RecordHeader

__all__ = ["RECORD", "RecordSink"]

# The column that holds the bytes of a record in the first of its rows, and null in the others.
RECORD = "record"
_NO_ALT = "."


class RecordSink:
    """Takes tables of one row an ALT, in the order of the records; those of a record follow each other.

    Args:
        stream: Takes the bytes.
        schema: `alt`, `record`, and the columns whose metadata name an INFO field.
        header: Of the file that the records come from.
        metadata: What made the values.
        is_bcf: Whether BCF is written.

    Raises:
        InputError: The header does not go into the other form.
    """

    def __init__(
        self,
        stream: Stream,
        schema: Any,
        header: RecordHeader,
        metadata: Mapping[str, object],
        *,
        is_bcf: bool,
    ) -> None:
        self._stream = stream
        self._fields = fields_of(schema)
        self._annotation = Annotation(header, list(self._fields.values()), metadata, is_bcf=is_bcf)
        self._incomplete = schema.empty_table()
        self._records: list[bytes] = []
        self._values: list[bytes] = []
        self._bytes = 0
        stream.write(self._annotation.header)

    def write(self, table: Any) -> None:
        """Takes some rows; of the last record more may come.

        Raises:
            RecordError: A record is damaged, or does not go into the other form.
        """
        rows = pa.concat_tables([self._incomplete, table]).combine_chunks()
        starts = np.flatnonzero(rows[RECORD].is_valid()).astype(np.int32)
        self._take(rows.slice(0, starts[-1]), starts)
        self._incomplete = rows.slice(starts[-1])

    def close(self, metadata: Mapping[str, object]) -> None:
        """Completes the file."""
        rows = self._incomplete
        self._take(rows, np.array([0, rows.num_rows], np.int32))
        self._write_taken()
        self._stream.close()

    def abandon(self) -> None:
        """Lets go of it incomplete."""

    def _take(self, rows: Any, starts: Starts) -> None:
        """Takes complete records, and writes them where there are enough."""
        if not rows.num_rows:
            return
        has_alt = (pc.not_equal(rows["alt"], _NO_ALT).to_numpy()[starts[:-1]]) | (np.diff(starts) > 1)
        values = self._values_of(rows, starts)
        self._records += rows[RECORD].drop_null().to_pylist()
        self._values += [each if some else b"" for each, some in zip(values, has_alt, strict=True)]
        self._bytes += rows[RECORD].nbytes
        if self._bytes >= self._annotation.batch_bytes:
            self._write_taken()

    def _values_of(self, rows: Any, starts: Starts) -> list[bytes]:
        info = self._annotation.info
        if isinstance(info, BcfInfo):
            return as_bcf(rows, self._fields, info.keys, starts)
        return as_text(rows, self._fields, starts)

    def _write_taken(self) -> None:
        self._stream.write(self._annotation.added(self._records, self._values))
        self._records, self._values, self._bytes = [], [], 0
