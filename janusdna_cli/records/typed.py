"""The typed values of BCF 2: a descriptor of their type and number, then the values.

Source: VCF specification 4.5, section 6.3.3.
"""

from __future__ import annotations

import struct

__all__ = ["MISSING_FLOAT", "Typed", "typed_floats", "typed_integer", "typed_string"]

MISSING_FLOAT = 0x7F800001  # its bits

_FLOAT, _STRING = 5, 7
_WIDTHS = {0: 0, 1: 1, 2: 2, 3: 4, _FLOAT: 4, _STRING: 1}  # bytes by type
_INTEGER_WIDTHS = {1 << 4 | kind: _WIDTHS[kind] for kind in (1, 2, 3)}  # of one, by descriptor
_INTEGERS = ((1, "b", -120, 127), (2, "h", -32_760, 32_767), (3, "i", -(2**31) + 8, 2**31 - 1))
_IN_DESCRIPTOR = 14


class Typed:
    """One value after the other of a block.

    Args:
        block: The bytes.
        at: Where the first value begins.

    Attributes:
        at: Where the next one begins.
    """

    def __init__(self, block: bytes, at: int) -> None:
        self._block = block
        self.at = at

    def next(self) -> bytes:
        """The bytes of one value.

        Raises:
            LookupError: There is none here, or it is damaged.
            ValueError: The block ends within it.
        """
        descriptor = self._block[self.at]
        self.at += 1
        count = descriptor >> 4
        if count > _IN_DESCRIPTOR:
            count = self.integer()
        begin = self.at
        self.at += _WIDTHS[descriptor & 15] * count
        if not begin <= self.at <= len(self._block):
            raise ValueError(f"{count} values do not end within the block")
        return self._block[begin : self.at]

    def integer(self) -> int:
        """A value that is one integer.

        Raises:
            LookupError: As `next`.
            ValueError: The block ends within it.
        """
        descriptor = self._block[self.at]
        width = _INTEGER_WIDTHS[descriptor]
        begin, self.at = self.at + 1, self.at + 1 + width
        if self.at > len(self._block):
            raise ValueError("the block ends within an integer")
        return int.from_bytes(self._block[begin : self.at], "little", signed=True)


def typed_integer(value: int) -> bytes:
    """In as few bytes as it takes."""
    kind, code = next((kind, code) for kind, code, low, high in _INTEGERS if low <= value <= high)
    return struct.pack(f"<B{code}", 1 << 4 | kind, value)


def typed_string(text: bytes) -> bytes:
    """Characters."""
    return _descriptor(_STRING, len(text)) + text


def typed_floats(values: bytes) -> bytes:
    """Floats, of which the bytes are given."""
    return _descriptor(_FLOAT, len(values) // 4) + values


def _descriptor(kind: int, count: int) -> bytes:
    if count <= _IN_DESCRIPTOR:
        return bytes([count << 4 | kind])
    return bytes([15 << 4 | kind]) + typed_integer(count)
