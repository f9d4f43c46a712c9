"""Plain gzip made bgzip, once: gzip has no random access."""

import logging
import uuid
from contextlib import suppress
from pathlib import Path

import pysam

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta_index import cache_stem
from janusdna_cli.genome.streams import InputStream, is_bgzf, is_gzip, open_regular

__all__ = ["with_random_access"]

_PIECE = 1 << 20

_log = logging.getLogger("janusdna")


def with_random_access(path: str) -> str:
    """The same file, or where it is plain gzip, a bgzip copy of it in the user's cache.

    Raises:
        InputError: The file cannot be read, or the copy cannot be written.
    """
    with open_regular(path, "FASTA") as file:
        head = file.read(100)
    if not is_gzip(head) or is_bgzf(head):
        return path
    stem = cache_stem(path)
    copy = stem.with_name(f"{stem.name}.bgz")
    if not copy.exists():
        _log.info("%s: is gzip, which has no random access; converted once to %s", path, copy)
        _convert(path, copy)
    return str(copy)


def _convert(path: str, copy: Path) -> None:
    aside = copy.with_name(f".{uuid.uuid4().hex}")
    verbosity = pysam.set_verbosity(0)
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with InputStream(path) as stream, pysam.BGZFile(str(aside), "wb", None) as bgzip:
            while piece := stream.read(_PIECE):
                bgzip.write(piece)
        aside.replace(copy)
    except OSError as error:
        command = f"gunzip -c {path} | bgzip > {Path(path).stem}.bgz"
        fix = f"set XDG_CACHE_HOME to a folder with room for it, or run: {command}"
        raise InputError(f"{path}: its bgzip copy {copy} cannot be written ({error}); {fix}") from error
    finally:
        pysam.set_verbosity(verbosity)
        with suppress(OSError):
            aside.unlink()
