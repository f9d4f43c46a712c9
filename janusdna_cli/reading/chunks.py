"""Work in chunks of bounded size: asked of the reader and answered, one chunk beside the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna.errors import SequenceError
from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.background import ahead, one_ahead
from janusdna_cli.reading.requests import Request
from janusdna_cli.reading.window_reader import WindowReader

__all__ = ["ATTENDED_BASES", "Chunk", "Load", "answered", "encode_window", "in_chunks"]

# Of these, up to four are in memory at a time.
_CHUNK_BYTES = 32 << 20
_CHUNK_ITEMS = 1024

# A position that attends to a window of n bases costs about n / 8,000 bases of a window read: measured with
# 512 positions against 131,072 keys, at hidden sizes of 32 and 72.
ATTENDED_BASES = 8_000

Item = TypeVar("Item")


class Load(NamedTuple):
    """What an item of work takes and gives.

    Attributes:
        rows: Rows of the table that it completes.
        bases: What it costs, in bases of a window read.
        bytes: What it takes in memory while it is in flight.
    """

    rows: int
    bases: float
    bytes: int

    def __add__(self, other: object) -> Load:
        if not isinstance(other, Load):
            return NotImplemented
        return Load(self.rows + other.rows, self.bases + other.bases, self.bytes + other.bytes)


_NOTHING = Load(0, 0, 0)


class Chunk(NamedTuple, Generic[Item]):
    """Items that are worked on together.

    Attributes:
        unit: Number of the unit of work that they belong to, from 0: all of it is done, or none of it.
        is_last: Whether they complete the unit.
        first_row: Number, in the whole table, of the first row that they complete.
        load: Of all of them.
        items: In order.
    """

    unit: int
    is_last: bool
    first_row: int
    load: Load
    items: list[Item]


def in_chunks(
    items: Iterable[Item],
    load: Callable[[Item], Load],
    bases: float,
    *,
    ends_unit: Callable[[Item], bool] = lambda item: True,
) -> Iterator[Chunk[Item]]:
    """Cut work into chunks of bounded cost, number and bytes: the same ones however often it is done.

    Args:
        items: All of the work, in its order.
        load: Of an item.
        bases: Cost at which a chunk is complete.
        ends_unit: Whether a unit may end after an item.
    """
    unit, row = 0, 0
    chunk: list[Item] = []
    total = _NOTHING
    for item in items:
        chunk.append(item)
        total += load(item)
        if total.bases >= bases or len(chunk) == _CHUNK_ITEMS or total.bytes >= _CHUNK_BYTES:
            is_last = ends_unit(item)
            yield Chunk(unit, is_last, row, total, chunk)
            unit, row = unit + is_last, row + total.rows
            chunk, total = [], _NOTHING
    if chunk:
        yield Chunk(unit, True, row, total, chunk)


def answered(
    asked: Iterable[tuple[Item, Sequence[Request]]], reader: WindowReader
) -> Iterator[tuple[Item, Mapping[Request, WindowAnswer]]]:
    """Chunks of work with the answers to what they ask, so that the reader seldom waits.

    The next chunk's requests are made while this one's are read; on a GPU it is also read while this one's
    answers are worked on.
    """

    def read(chunk: tuple[Item, Sequence[Request]]) -> tuple[Item, Mapping[Request, WindowAnswer]]:
        item, requests = chunk
        return item, reader.answer(requests)

    coming = ahead(asked)
    return one_ahead(read, coming) if reader.overlaps else map(read, coming)


def encode_window(reference: Reference, window: Window) -> npt.NDArray[np.uint8]:
    """Token ids of a window's forward strand.

    Raises:
        InputError: If the reference holds a letter there that is no nucleotide code.
    """
    try:
        return tokens.encode(reference.fetch(window.contig, window.start, window.end))
    except SequenceError as error:
        place = f"{window.contig}:{window.start}-{window.end}"
        raise InputError(f"{reference.path}: {place}: {error}; is this a nucleotide FASTA?") from None
