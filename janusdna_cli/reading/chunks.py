"""Work in chunks of bounded size: asked of the reader and answered, one chunk beside the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

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

__all__ = ["answered", "encode_window", "in_chunks"]

# Of these, up to four are in memory at a time.
_CHUNK_BYTES = 32 << 20
_CHUNK_ITEMS = 1024

Item = TypeVar("Item")


def in_chunks(items: Iterable[Item], bytes_in_flight: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Cut `items` into lists that are in flight together, bounded in number and in bytes."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += bytes_in_flight(item)
        if size >= _CHUNK_BYTES or len(chunk) == _CHUNK_ITEMS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


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
