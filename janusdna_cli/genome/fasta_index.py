"""Finding or making a FASTA file's index: beside it, or in the user's cache where that cannot be written.

pyfaidx indexes plain files. It reads bgzip only with Biopython and goes by suffix, so htslib indexes those,
and plain files that pyfaidx declines (several blank lines at the end). htslib silently drops a second record
of the same name, and neither names a line reliably; so a file is checked before it is indexed.
"""

import hashlib
import logging
import os
import uuid
from pathlib import Path

import pyfaidx
import pysam
from pysam.utils import SamtoolsError

from janusdna.cache import cache_folder
from janusdna_cli.errors import InputError
from janusdna_cli.genome.fai import FastaIndex, agrees
from janusdna_cli.genome.fasta_layout import check_layout
from janusdna_cli.genome.streams import excerpt, is_bgzf, is_gzip, open_file

__all__ = ["cache_stem", "find_or_build"]

_PYFAIDX_DECLINES = (
    pyfaidx.FastaIndexingError,
    pyfaidx.UnsupportedCompressionFormat,
    ImportError,
    RuntimeError,
    ValueError,
)

_log = logging.getLogger("janusdna")


def find_or_build(path: str) -> FastaIndex:
    """An index that fits a FASTA file, made when there is none.

    Args:
        path: A FASTA file, plain or bgzip, told by content.

    Raises:
        InputError: The file is no FASTA, or its index cannot be made or written.
    """
    compressed = _is_compressed(path)
    beside = FastaIndex.at(path, compressed)
    cached = FastaIndex.at(cache_stem(path), compressed)
    for index in (beside, cached):
        if agrees(index, path):
            return index
    if beside.fai.exists():
        _log.warning("%s: %s is older or does not fit; indexing again", path, beside.fai.name)
    check_layout(path)
    return _build(path, beside, cached)


def _is_compressed(path: str) -> bool:
    with open_file(path) as file:
        head = file.read(100)
    if is_bgzf(head):
        return True
    if is_gzip(head):
        fix = f"gunzip -c {path} | bgzip > {Path(path).stem}.bgz"
        raise InputError(f"{path}: is gzip, which has no random access, expected bgzip; run: {fix}")
    if not head:
        raise InputError(f"{path}: is empty, expected FASTA")
    if head.strip() and not head.lstrip().startswith(b">"):
        first = head.lstrip().partition(b"\n")[0]
        raise InputError(f"{path}: starts with {excerpt(first)}, expected FASTA ('>name')")
    return False


def cache_stem(path: str) -> Path:
    """A place in the user's cache, a new one whenever the file changes."""
    file = Path(path).resolve()
    status = file.stat()
    state = os.fsencode(f"{file}|{status.st_size}|{status.st_mtime_ns}")
    return cache_folder() / "fasta" / f"{file.name}.{hashlib.sha256(state).hexdigest()[:16]}"


def _build(path: str, beside: FastaIndex, cached: FastaIndex) -> FastaIndex:
    if _can_write(beside.fai.parent):
        try:
            return _build_at(path, beside)
        except OSError as error:
            _log.info("%s: %s; its index goes to %s", path, error, cached.fai)
    try:
        cached.fai.parent.mkdir(parents=True, exist_ok=True)
        return _build_at(path, cached)
    except OSError as error:
        fix = f"set XDG_CACHE_HOME to a folder that can be written ({error})"
        raise InputError(
            f"{path}: no place to write its index, neither beside it nor in the cache; {fix}"
        ) from error


def _can_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK)


def _build_at(path: str, index: FastaIndex) -> FastaIndex:
    """Write aside, then rename: another process sees a whole index or none.

    Raises:
        OSError: The folder cannot be written.
    """
    aside = FastaIndex.at(index.fai.parent / f".{uuid.uuid4().hex}", index.gzi is not None)
    try:
        _write(path, aside)
        for written, wanted in zip(aside.files(), index.files(), strict=True):
            written.replace(wanted)
    finally:
        for written in aside.files():
            written.unlink(missing_ok=True)
    return index


def _write(path: str, index: FastaIndex) -> None:
    # Fails early and as OSError where nothing can be written, whatever the libraries make of it.
    index.fai.touch()
    index.fai.unlink()
    if index.gzi is not None or not _write_with_pyfaidx(path, index.fai):
        _write_with_htslib(path, index)


def _write_with_pyfaidx(path: str, fai: Path) -> bool:
    try:
        pyfaidx.Faidx(path, indexname=str(fai)).close()
    except _PYFAIDX_DECLINES as error:
        _log.debug("%s: pyfaidx: %s", path, error)
        fai.unlink(missing_ok=True)
        return False
    return True


def _write_with_htslib(path: str, index: FastaIndex) -> None:
    gzi = [] if index.gzi is None else ["--gzi-idx", str(index.gzi)]
    verbosity = pysam.set_verbosity(0)
    try:
        pysam.faidx("--fai-idx", str(index.fai), *gzi, str(Path(path).absolute()), catch_stdout=False)
    except SamtoolsError as error:
        raise InputError(f"{path}: cannot be indexed; check it with: samtools faidx {path}") from error
    finally:
        pysam.set_verbosity(verbosity)
