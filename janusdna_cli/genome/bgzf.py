"""The blocks of a bgzip file, and the table of them that bgzip keeps as `.gzi`.

Source: SAM specification, section 4.1; a block is a member of a gzip file that says how long it is.
"""

import os
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from janusdna_cli.errors import InputError
from janusdna_cli.genome.streams import CUT_OFF, is_bgzf, is_gzip

__all__ = ["Blocks"]

_HEAD = 18


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where the blocks of a file start, and where the last one ends.

    Attributes:
        in_file: Offsets in the file, one more than there are blocks.
        in_text: Offsets in what they decompress to, as many.
    """

    in_file: "array[int]"
    in_text: "array[int]"

    @classmethod
    def walk(cls, path: str, file: BinaryIO) -> Self:
        """Find the blocks of a file by their heads.

        Raises:
            InputError: The file is cut off, or something else stands between or after its blocks.
        """
        return cls(array("Q", [0]), array("Q", [0]))._walk_on(path, file)

    @classmethod
    def read(cls, gzi: Path, path: str, file: BinaryIO) -> Self:
        """Take what a table says, and find the blocks after its last.

        Raises:
            OSError: There is no such table.
            ValueError: It is none.
            InputError: It is another file's, or as for `walk`.
        """
        data = gzi.read_bytes()
        count = int.from_bytes(data[:8], "little")
        if len(data) != 8 + 16 * count:
            raise ValueError(f"{gzi}: is cut off")
        numbers = array("Q", [0, 0])
        numbers.frombytes(data[8:])
        return cls(numbers[0::2], numbers[1::2])._walk_on(path, file)

    def write(self, gzi: Path) -> None:
        """Write the table of all blocks but the first, which starts at 0."""
        numbers = array("Q", [len(self.in_file) - 2])
        for pair in zip(self.in_file[1:-1], self.in_text[1:-1], strict=True):
            numbers.extend(pair)
        gzi.write_bytes(numbers.tobytes())

    def _walk_on(self, path: str, file: BinaryIO) -> Self:
        size = os.fstat(file.fileno()).st_size
        while (at := self.in_file[-1]) < size:
            head = os.pread(file.fileno(), _HEAD, at)
            if len(head) < _HEAD or not is_bgzf(head):
                raise InputError(f"{path}: {_not_a_block(path, at, head)}")
            end = at + int.from_bytes(head[16:18], "little") + 1
            if end > size:
                raise InputError(f"{path}: byte {at:,}: {CUT_OFF}")
            self.in_file.append(end)
            self.in_text.append(
                self.in_text[-1] + int.from_bytes(os.pread(file.fileno(), 4, end - 4), "little")
            )
        return self


def _not_a_block(path: str, at: int, head: bytes) -> str:
    if is_gzip(head) and len(head) < _HEAD:
        return f"byte {at:,}: {CUT_OFF}"
    if is_gzip(head):
        fix = f"run: gunzip -c {path} | bgzip > {Path(path).stem}.bgz"
        return f"is bgzip up to byte {at:,} and plain gzip from there, which has no random access; {fix}"
    found = f"found {head[:4].hex(' ')}, expected a block of bgzip"
    return f"byte {at:,}: {found}; the file is damaged, copy it again"
