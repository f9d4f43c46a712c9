"""What of a run is done: entries of finished units, each whole or absent, whenever the run is cut off.

A journal is a file of one process, which only ever appends to it:

    entry   head (magic, CRC-32, sizes) | JSON: units, contigs' md5, ... | Arrow stream: numbered rows

Whatever is cut off or damaged at the end of a journal is no entry. Arrow's bytes are used where they lie, so
that a journal of any size is read in little memory.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from janusdna_cli.outputs.destinations import reported
from janusdna_cli.runs.rows import NUMBER, SortedRows

__all__ = ["Entry", "Journal", "read_journal"]

_MAGIC = b"janusdna"
_HEAD = struct.Struct("<8sIIQ")  # magic, CRC-32 of what follows, bytes of JSON, bytes of Arrow
_ALIGNMENT = 64


@dataclass(frozen=True)
class Entry:
    """Units that are done.

    Attributes:
        units: Their numbers.
        contigs: Of the reference that were read for them, with their md5; None where it cannot be told.
        windows: Windows read for them, each strand for itself.
        bases: Bases read for them.
    """

    units: tuple[int, ...]
    contigs: Mapping[str, str | None] = field(default_factory=dict)
    windows: int = 0
    bases: int = 0


class Journal:
    """Appends entries to a new file, which appears with the first of them.

    Args:
        path: Where; no such file is there.
        is_lasting: Whether entries outlive a loss of power.

    Attributes:
        path: Where.
    """

    def __init__(self, path: Path, *, is_lasting: bool = True) -> None:
        self.path = path
        self._is_lasting = is_lasting
        self._file: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, entry: Entry, rows: pa.Table) -> int:
        """Append an entry; when this returns it is there.

        Args:
            entry: What is done.
            rows: Its rows, with their numbers as first column.

        Returns:
            Its first byte.

        Raises:
            InputError: If it cannot be written.
        """
        rows = rows.sort_by(NUMBER).combine_chunks()
        with reported(str(self.path)):
            if self._file is None:
                self._file = self.path.open("xb", buffering=0)
            start = int(self._file.tell())
            try:
                for piece in _encoded(entry, rows):
                    _write_all(self._file, piece)
                if self._is_lasting:
                    os.fsync(self._file.fileno())
            except BaseException:
                with suppress(OSError):
                    self._file.truncate(start)
                    self._file.seek(start)
                raise
        return start


def read_journal(path: Path, start: int = 0) -> Iterator[tuple[Entry, SortedRows]]:
    """The entries of a journal, up to the first that is not whole.

    Args:
        path: The file.
        start: First byte of an entry.
    """
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return
        # Arrow's own takes no name that is not UTF-8.
        bytes_there = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    while found := _decoded(bytes_there.slice(start)):
        entry, table, size = found
        yield entry, SortedRows(table)
        start += size


def _encoded(entry: Entry, rows: pa.Table) -> Sequence[Any]:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    arrow = memoryview(sink.getvalue())
    facts = json.dumps(asdict(entry), ensure_ascii=True).encode()
    facts += b" " * (-(_HEAD.size + len(facts)) % _ALIGNMENT)
    end = b"\0" * (-len(arrow) % _ALIGNMENT)
    checksum = zlib.crc32(arrow, zlib.crc32(facts))
    return _HEAD.pack(_MAGIC, checksum, len(facts), len(arrow)), facts, arrow, end


def _decoded(data: pa.Buffer) -> tuple[Entry, pa.Table, int] | None:
    """The entry that bytes begin with and its size; None where there is no whole one."""
    if data.size < _HEAD.size:
        return None
    magic, checksum, facts_size, arrow_size = _HEAD.unpack(data[: _HEAD.size])
    end = _HEAD.size + facts_size + arrow_size
    if magic != _MAGIC or end > data.size:
        return None
    facts, arrow = data.slice(_HEAD.size, facts_size), data.slice(_HEAD.size + facts_size, arrow_size)
    if zlib.crc32(memoryview(arrow), zlib.crc32(memoryview(facts))) != checksum:
        return None
    found: dict[str, Any] = json.loads(memoryview(facts).tobytes())
    table = pa.ipc.open_stream(arrow).read_all()
    return Entry(**found | {"units": tuple(found["units"])}), table, end + -arrow_size % _ALIGNMENT


def _write_all(file: Any, data: Any) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
