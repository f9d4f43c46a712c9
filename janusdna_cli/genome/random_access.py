"""Bytes at any place of a file, plain or bgzip."""

import io
import os
import weakref
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache, partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from janusdna_cli.genome.bgzf import Blocks
from janusdna_cli.genome.streams import CUT_OFF

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["RandomAccess"]

# 4 MB of text: windows that overlap, and the alleles within them, decompress a block once.
_KEPT_BLOCKS = 64
_GZIP = 31
_BUFFER = 1 << 18


class RandomAccess:
    """A file's bytes, decompressed; one thread at a time, others have `another`.

    It is closed by `close`, or when nobody holds it any more.

    Args:
        descriptor: Of a file that is open for reading; this has one of its own.
        blocks: Those of a bgzip file; None for a plain one.

    Attributes:
        size: Bytes, decompressed.
    """

    def __init__(self, descriptor: int, blocks: Blocks | None) -> None:
        self.size: int = os.fstat(descriptor).st_size if blocks is None else blocks.in_text[-1]
        self._descriptor = os.dup(descriptor)
        self._blocks = blocks
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._block = lru_cache(_KEPT_BLOCKS)(partial(_decompress, self._descriptor, blocks))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._close()
        self._descriptor = -1
        self._block.cache_clear()

    def another(self) -> "RandomAccess":
        """The same file, also where another has taken its name, for another thread."""
        return RandomAccess(self._descriptor, self._blocks)

    def read(self, start: int, end: int) -> bytes:
        """The bytes [start, end).

        Raises:
            OSError: There are not so many, or they are damaged; the message says what to do.
        """
        if self._blocks is None:
            data = os.pread(self._descriptor, end - start, start)
        else:
            data = b"".join(self._pieces(self._blocks, start, end))
        if len(data) != end - start:
            raise OSError("the file ends early; copy it again")
        return data

    def stream(self) -> io.BufferedReader:
        """All of it from the start."""
        return io.BufferedReader(_Stream(self), _BUFFER)

    def _pieces(self, blocks: Blocks, start: int, end: int) -> Iterator[bytes]:
        number = bisect_right(blocks.in_text, start) - 1
        while start < min(end, self.size):
            first = blocks.in_text[number]
            piece = self._block(number)[start - first : end - first]
            yield piece
            start += len(piece)
            number += 1


def _decompress(descriptor: int, blocks: Blocks | None, number: int) -> bytes:
    assert blocks is not None
    start, end = blocks.in_file[number : number + 2]
    data = os.pread(descriptor, end - start, start)
    if len(data) != end - start:
        raise OSError(CUT_OFF)
    try:
        text = zlib.decompress(data, _GZIP)
    except zlib.error as error:
        raise OSError(f"the compressed data is damaged ({error}); copy the file again") from error
    expected = blocks.in_text[number + 1] - blocks.in_text[number]
    if len(text) != expected:
        found = f"a block of {len(text):,} bytes, expected {expected:,}"
        raise OSError(f"the compressed data is damaged ({found}); copy the file again")
    return text


class _Stream(io.RawIOBase):
    def __init__(self, file: RandomAccess) -> None:
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        end = min(self._at + len(view), self._file.size)
        data = self._file.read(self._at, end)
        view[: len(data)] = data
        self._at = end
        return len(data)
