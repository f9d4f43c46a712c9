"""Columns of a table as INFO of records: one value an ALT, for text and for BCF.

A record's rows follow each other; `starts` are its first rows, with the number of all rows at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from janusdna_cli.records.header import InfoField
from janusdna_cli.records.typed import MISSING_FLOAT, typed_floats, typed_string

__all__ = ["INFO", "Starts", "as_bcf", "as_text", "fields_of"]

Starts = npt.NDArray[np.int32]

# The key of a column's metadata that names its INFO field.
INFO = b"info"


def fields_of(schema: Any) -> dict[str, InfoField]:
    """The INFO fields of the columns that are to be one."""
    return {
        column.name: InfoField(
            name=column.metadata[INFO].decode(),
            kind="Float" if pa.types.is_float32(column.type) else "String",
            meaning=column.metadata[b"meaning"].decode(),
        )
        for column in schema
        if column.metadata and INFO in column.metadata
    }


def as_text(table: Any, fields: dict[str, InfoField], starts: Starts) -> list[bytes]:
    """`A=1,2;B=.,x` for each record; floats with the fewest digits that read back as the same float32."""
    parts = []
    for column, field in fields.items():
        values = pa.ListArray.from_arrays(pa.array(starts), _texts(table[column]))
        parts.append(pc.binary_join_element_wise(f"{field.name}=", pc.binary_join(values, ","), ""))
    joined: list[bytes] = pc.binary_join_element_wise(*parts, ";").cast(pa.binary()).to_pylist()
    return joined


def as_bcf(table: Any, fields: dict[str, InfoField], keys: Sequence[bytes], starts: Starts) -> list[bytes]:
    """Keys and typed values for each record."""
    ends = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
    parts = []
    for key, (column, field) in zip(keys, fields.items(), strict=True):
        of_kind = _floats if field.kind == "Float" else _strings
        parts.append([key + value for value in of_kind(table[column], ends)])
    return list(map(b"".join, zip(*parts, strict=True)))


def _texts(column: Any) -> Any:
    """Every value as text, without the chunks of the table."""
    return column.combine_chunks().cast(pa.string()).fill_null(".")


def _floats(column: Any, ends: list[tuple[int, int]]) -> list[bytes]:
    bits = column.combine_chunks().fill_null(0).to_numpy().astype("<f4").view("<u4")
    bits = np.where(column.is_null().to_numpy(), MISSING_FLOAT, bits).astype("<u4").tobytes()
    return [typed_floats(bits[4 * first : 4 * last]) for first, last in ends]


def _strings(column: Any, ends: list[tuple[int, int]]) -> list[bytes]:
    texts = _texts(column).to_pylist()
    return [typed_string(",".join(texts[first:last]).encode()) for first, last in ends]
