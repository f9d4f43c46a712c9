"""Finding or making a FASTA file's index: beside it, or in the user's cache where that cannot be written.

An index is believed when it was made here or was once found to describe the whole file: programs differ in
whether white space within a line counts, and none looks for it. What is known of a file is kept in the cache,
by the file's state.
"""

import hashlib
import logging
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from janusdna.cache import cache_folder
from janusdna_cli.errors import InputError
from janusdna_cli.genome.bgzf import Blocks
from janusdna_cli.genome.fai import Records, describes, read_fai, write_fai
from janusdna_cli.genome.fasta_layout import read_layout
from janusdna_cli.genome.random_access import RandomAccess
from janusdna_cli.genome.streams import (
    BYTE_ORDER_MARK,
    LACKS_END,
    excerpt,
    is_bgzf,
    is_gzip,
    lacks_bgzf_end,
    open_regular,
)

__all__ = ["cache_stem", "open_indexed"]

_NAME = 50

_log = logging.getLogger("janusdna")


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of one index.

    Attributes:
        fai: Names, lengths and places of the records.
        gzi: Where the blocks of a bgzip file start; None for a plain file.
    """

    fai: Path
    gzi: Path | None

    @classmethod
    def at(cls, stem: str | Path, compressed: bool) -> "_Files":
        """The index whose files are `stem` with a suffix added."""
        return cls(Path(f"{stem}.fai"), Path(f"{stem}.gzi") if compressed else None)

    def all(self) -> list[Path]:
        """Its files, the .fai last: once it is there the index is complete."""
        return [self.fai] if self.gzi is None else [self.gzi, self.fai]

    def digest(self) -> str:
        """Of what they hold."""
        return hashlib.sha256(b"".join(file.read_bytes() for file in self.all())).hexdigest()


@dataclass(frozen=True, slots=True)
class _Index:
    records: Records
    blocks: Blocks | None


# What no cache could be written for is kept as long as the process: it reads a file through once.
_unwritten: dict[Path, _Index] = {}
_unmarked: dict[Path, str] = {}


def open_indexed(path: str) -> tuple[RandomAccess, Records]:
    """Open a FASTA file, plain or bgzip, told by content, with an index that describes it.

    Raises:
        InputError: The file is no FASTA, or cannot be read at any place.
    """
    with open_regular(path, "FASTA") as file:
        compressed = _is_compressed(path, file)
        index = _find(path, file, compressed) or _build(path, file, compressed)
        if compressed and lacks_bgzf_end(file):
            _log.warning(LACKS_END, path)
        return RandomAccess(file.fileno(), index.blocks), index.records


def cache_stem(path: str) -> Path:
    """A place in the user's cache, a new one whenever the file changes."""
    file = Path(path).resolve()
    status = file.stat()
    state = os.fsencode(f"{file}|{status.st_size}|{status.st_mtime_ns}")
    # A name may be as long as the file system lets it be.
    return cache_folder() / "fasta" / f"{file.name[:_NAME]}.{hashlib.sha256(state).hexdigest()[:16]}"


def _is_compressed(path: str, file: BinaryIO) -> bool:
    head = os.pread(file.fileno(), 100, 0)
    if is_bgzf(head):
        return True
    if is_gzip(head):
        fix = f"gunzip -c {path} | bgzip > {Path(path).stem}.bgz"
        raise InputError(f"{path}: is gzip, which has no random access, expected bgzip; run: {fix}")
    if not head:
        raise InputError(f"{path}: is empty, expected FASTA")
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if text and not text.startswith(b">"):
        raise InputError(f"{path}: starts with {excerpt(text.splitlines()[0])}, expected FASTA ('>name')")
    return False


def _find(path: str, file: BinaryIO, compressed: bool) -> _Index | None:
    stem = cache_stem(path)
    if stem in _unwritten:
        return _unwritten[stem]
    beside = _Files.at(path, compressed)
    for files in (beside, _Files.at(stem, compressed)):
        if index := _load(files, path, file):
            return index
    if _exists(beside.fai):
        _log.warning("%s: %s is older or does not fit; indexing again", path, beside.fai.name)
    return None


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # a name too long
        return False


def _load(files: _Files, path: str, file: BinaryIO) -> _Index | None:
    """The index in these files, if it describes the FASTA."""
    try:
        changed = Path(path).stat().st_mtime_ns
        if any(one.stat().st_mtime_ns < changed for one in files.all()):
            return None
        blocks = None if files.gzi is None else Blocks.read(files.gzi, path, file)
        index = _Index(read_fai(files.fai), blocks)
        digest = files.digest()
        if _is_checked(path, digest):
            return index
        if blocks is not None and blocks != Blocks.walk(path, file):
            return None
    except (OSError, ValueError, InputError) as error:
        _log.debug("%s: %s", path, error)
        return None
    return index if _check(path, file, index, digest) else None


def _check(path: str, file: BinaryIO, index: _Index, digest: str) -> bool:
    """Whether an index describes all of a file that can be read; once for each state of both."""
    try:
        fits = describes(index.records, RandomAccess(file.fileno(), index.blocks))
    except OSError as error:
        _log.warning("%s: %s; what its index says is not checked", path, error)
        return True
    if fits:
        _note_checked(path, digest)
    return fits


def _mark(path: str) -> Path:
    return Path(f"{cache_stem(path)}.checked")


def _is_checked(path: str, digest: str) -> bool:
    try:
        return _unmarked.get(_mark(path)) == digest or _mark(path).read_text("ascii") == digest
    except (OSError, UnicodeDecodeError):
        return False


def _note_checked(path: str, digest: str) -> None:
    mark = _mark(path)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(digest, "ascii")
    except OSError as error:
        _log.debug("%s: %s", mark, error)
        _unmarked[mark] = digest


def _build(path: str, file: BinaryIO, compressed: bool) -> _Index:
    blocks = Blocks.walk(path, file) if compressed else None
    index = _Index(read_layout(path, RandomAccess(file.fileno(), blocks)), blocks)
    stem = cache_stem(path)
    for place in (path, stem):
        files = _Files.at(place, compressed)
        try:
            _write(index, files)
        except OSError as error:
            _log.debug("%s: %s", path, error)
            continue
        _note_checked(path, files.digest())
        return index
    fix = f"neither beside it nor in {stem.parent}; it is made anew at each run; set XDG_CACHE_HOME"
    _log.warning("%s: its index can be written %s", path, fix)
    _unwritten[stem] = index
    return index


def _write(index: _Index, files: _Files) -> None:
    """Write aside, then rename: another process sees a whole index or none.

    Raises:
        OSError: The folder cannot be made or written.
    """
    folder = files.fai.parent
    folder.mkdir(parents=True, exist_ok=True)
    aside = _Files.at(folder / f".{uuid.uuid4().hex}", index.blocks is not None)
    try:
        if index.blocks is not None and aside.gzi is not None:
            index.blocks.write(aside.gzi)
        write_fai(index.records.values(), aside.fai)
        for written, wanted in zip(aside.all(), files.all(), strict=True):
            written.replace(wanted)
    finally:
        for written in aside.all():
            written.unlink(missing_ok=True)
