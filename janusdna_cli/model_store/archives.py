"""The checkpoint and its configuration out of an archive of a run's folder.

An archive comes from the network and may be made to do harm. Nothing is written under a name of its own, what
is no plain file is as if it were not there, and it cannot unpack to more than so many times its size.
"""

from __future__ import annotations

import bz2
import gzip
import shutil
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from janusdna_cli.errors import InputError
from janusdna_cli.model_store.published import CONFIG_NAME, configuration_of

__all__ = ["MOST_BYTES", "MOST_TIMES", "is_archive", "unpack"]

MOST_TIMES = 20
"""How many times its own size an archive may unpack to; trained weights hardly compress at all."""

MOST_BYTES = 16 << 30
"""How many bytes an archive may unpack to, however large it is."""

_MOST_FILES = 10_000
_MOST_AT_ONCE = 1 << 20  # bytes of one read: a header that says more would be held in memory
_OPEN: dict[str, Any] = {".bz2": bz2.open, ".gz": gzip.open, ".tgz": gzip.open, ".tar": open}


def is_archive(path: str) -> bool:
    """Whether a path is called as an archive of files that `unpack` knows."""
    return PurePosixPath(path).suffix.lower() in _OPEN


def unpack(archive: Path, folder: Path) -> tuple[Path, Path]:
    """Write the checkpoint and its configuration in `archive` to `folder`; where they are.

    Raises:
        InputError: If it is no archive, damaged, without one checkpoint, or unpacks to too much.
    """
    try:
        with _OPEN[archive.suffix.lower()](archive, "rb") as content:
            bounded = _Bounded(content, archive)
            with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r:") as pack:
                return _take(pack, bounded, folder)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise InputError(f"{archive}: cannot be unpacked: {error}") from None


def _take(pack: tarfile.TarFile, bounded: _Bounded, folder: Path) -> tuple[Path, Path]:
    members: dict[str, tarfile.TarInfo] = {}
    for count, member in enumerate(pack):
        if count == _MOST_FILES:
            raise bounded.refusal(f"more than {_MOST_FILES:,} files")
        if member.isfile():
            members[str(PurePosixPath(member.name))] = member
    checkpoint = _checkpoint_among(members, bounded.archive)
    taken = {checkpoint: folder / "last.ckpt", configuration_of(checkpoint, members): folder / CONFIG_NAME}
    for name, place in taken.items():
        bounded.check(members[name].size)  # a sparse file's holes take no byte of the archive
        content = pack.extractfile(members[name])
        assert content is not None  # it is a file
        with content, place.open("wb") as output:
            shutil.copyfileobj(content, output)
    return folder / "last.ckpt", folder / CONFIG_NAME


def _checkpoint_among(members: Collection[str], archive: Path) -> str:
    checkpoints = [name for name in members if name.endswith(".ckpt")]
    last = [name for name in checkpoints if PurePosixPath(name).name == "last.ckpt"]
    for found in (checkpoints, last):
        if len(found) == 1:
            return found[0]
    listed = f": {', '.join(checkpoints)}" if checkpoints else ""
    raise InputError(
        f"{archive}: {len(checkpoints)} of {len(members)} files are checkpoints{listed}; expected one, or "
        "one last.ckpt; unpack it, then: janusdna models convert FILE -o DIR --length N"
    )


class _Bounded:
    """An archive's content, of which no more can be reached than it may unpack to."""

    def __init__(self, content: IO[bytes], archive: Path) -> None:
        self.archive = archive
        self._content = content
        size = max(archive.stat().st_size, 1 << 16)  # padding is much of a small one
        self._limit = min(MOST_BYTES, MOST_TIMES * size)

    def check(self, end: int) -> None:
        """Refuse to reach so many bytes."""
        if end > self._limit:
            raise self.refusal(f"more than {self._limit:,} bytes, from {self.archive.stat().st_size:,}")

    def refusal(self, found: str) -> InputError:
        """What to raise where more is `found` than there may be."""
        return InputError(
            f"{self.archive}: unpacks to {found}: no archive of a model does; if it is one all the same, "
            "unpack it, then: janusdna models convert FILE -o DIR --length N"
        )

    def read(self, count: int) -> bytes:
        """As a file's."""
        if count > _MOST_AT_ONCE:
            raise self.refusal(f"a header of {count:,} bytes")
        self.check(self.tell() + count)
        return self._content.read(count)

    def seek(self, position: int, whence: int = 0) -> int:
        """As a file's, from its beginning."""
        assert whence == 0  # as tarfile does
        self.check(position)
        return self._content.seek(position)

    def tell(self) -> int:
        """As a file's."""
        return self._content.tell()
