"""NumPy's `.npz`: `embedding` (n, d), an array for each other column, and where it comes from.

NaN, 0 and the empty string stand for null; `janusdna` is a JSON object as a 0-d string.
"""

import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from janusdna_cli.outputs.destinations import Stream
from janusdna_cli.outputs.gathered import EMBEDDING, Gathered
from janusdna_cli.outputs.parquet import METADATA_KEY, as_json

__all__ = ["NpzSink", "write_npz"]


class NpzSink:
    """Takes tables of one schema, and writes them at the end."""

    def __init__(self, stream: Stream, schema: Any, destination: str) -> None:
        self._stream = stream
        self._gathered = Gathered(schema, destination)

    def write(self, table: Any) -> None:
        """Takes some rows."""
        self._gathered.write(table)

    def close(self, metadata: Mapping[str, object]) -> None:
        """Completes the file."""
        gathered = self._gathered
        with zipfile.ZipFile(self._stream, "w") as archive:  # type: ignore[call-overload]
            _add(archive, EMBEDDING, gathered.embeddings(), gathered.shape, gathered.dtype)
            columns = {name: _as_array(gathered, name) for name in gathered.columns}
            _add_arrays(archive, columns, metadata)
        self._stream.close()

    def abandon(self) -> None:
        """Lets go of it incomplete."""
        self._stream.close()


def write_npz(stream: Stream, arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, object]) -> None:
    """Write arrays, and where they come from; the stream stays open."""
    with zipfile.ZipFile(stream, "w") as archive:  # type: ignore[call-overload]
        _add_arrays(archive, arrays, metadata)


def _add_arrays(
    archive: zipfile.ZipFile, arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, object]
) -> None:
    for name, array in (*arrays.items(), (METADATA_KEY, np.array(as_json(metadata).decode()))):
        _add(archive, name, [array], array.shape, array.dtype)


def _as_array(gathered: Gathered, name: str) -> npt.NDArray[Any]:
    column = gathered.column(name)
    if name not in gathered.widths:
        numbers: npt.NDArray[Any] = column.fill_null(0).to_numpy(zero_copy_only=False)
        return numbers
    return np.array(column.fill_null("").to_pylist(), f"<U{gathered.widths[name]}")


def _add(
    archive: zipfile.ZipFile,
    name: str,
    parts: Iterable[npt.NDArray[Any]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> None:
    """An array in parts, one after another along its first axis."""
    entry = zipfile.ZipInfo(f"{name}.npy")  # without a time: the same bytes at each run
    facts = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(entry, "w", force_zip64=True) as file:
        npy.write_array_header_2_0(file, facts)
        for part in parts:
            file.write(np.ascontiguousarray(part).data.cast("B") if part.size else b"")
