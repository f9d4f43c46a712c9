"""Blocked gzip, which gzip reads and tabix indexes.

pysam's writer is not used: it prints to stderr and crashes when the disk is full.

Source: SAM specification, section 4.1.
"""

import struct
import zlib
from typing import Any

from janusdna_cli.outputs.destinations import Stream

__all__ = ["Bgzf"]

_PAYLOAD = 0xFF00


class Bgzf:
    """What is written goes on to a stream in blocks."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._is_open = True

    def write(self, data: Any, /) -> int:
        """Takes bytes, all of them."""
        view = memoryview(data)
        for first in range(0, len(view), _PAYLOAD):
            self._stream.write(_block(view[first : first + _PAYLOAD]))
        return len(view)

    def close(self) -> None:
        """Ends the file, and the stream; once, also where that fails."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._stream.write(_block(memoryview(b"")))  # the end-of-file marker
        finally:
            self._stream.close()


def _block(payload: memoryview) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    body = deflate.compress(payload) + deflate.flush()
    magic, extra = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff", b"BC\x02\x00"
    size = len(body) + 26
    header = magic + struct.pack("<H", 6) + extra + struct.pack("<H", size - 1)
    return header + body + struct.pack("<II", zlib.crc32(payload), len(payload))
