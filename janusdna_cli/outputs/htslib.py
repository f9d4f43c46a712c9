"""VCF records from text to BCF and back, by htslib.

htslib comes with pysam and is called directly: pysam's own writer changes records (it removes INFO/END where
REF tells as much, and adds it to symbolic alleles, even where the header that was written does not declare
it). htslib reads and writes files, so a batch of records goes in by one pipe and comes out by another.

Source: htslib/vcf.h, htslib/hts.h and htslib/hfile.h; what is called here is the same since htslib 1.10.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ctypes import POINTER, c_char, c_char_p, c_int, c_size_t, c_void_p
from functools import cache
from importlib import import_module
from typing import Any, Literal

import pysam

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.records.header import split_lines, structured

__all__ = ["Converter", "silent_htslib"]

_MODES = {"text": b"w", "bcf": b"wbu"}
_END = -1
_PIECE = 1 << 16


class _Text(ctypes.Structure):
    """htslib's `kstring_t`, which it enlarges as it needs."""

    _fields_ = (("length", c_size_t), ("room", c_size_t), ("characters", POINTER(c_char)))


_FUNCTIONS: dict[str, tuple[Any, ...]] = {  # what they return, what they take
    "hdopen": (c_void_p, c_int, c_char_p),
    "hts_hopen": (c_void_p, c_void_p, c_char_p, c_char_p),
    "hts_close": (c_int, c_void_p),
    "bcf_hdr_read": (c_void_p, c_void_p),
    "bcf_hdr_write": (c_int, c_void_p, c_void_p),
    "bcf_hdr_format": (c_int, c_void_p, c_int, POINTER(_Text)),
    "bcf_hdr_destroy": (None, c_void_p),
    "bcf_init": (c_void_p,),
    "bcf_read": (c_int, c_void_p, c_void_p, c_void_p),
    "bcf_write": (c_int, c_void_p, c_void_p, c_void_p),
    "bcf_destroy": (None, c_void_p),
}


class Converter:
    """Takes records of one file.

    Args:
        name: The file, for messages.
        header: In the form that the records have.
        to: What they become.

    Attributes:
        header: In the other form.

    Raises:
        InputError: htslib cannot read the header.
    """

    def __init__(self, name: str, header: bytes, *, to: Literal["text", "bcf"]) -> None:
        self._name = name
        self._before = header
        self._mode = _MODES[to]
        self._text = _Text()
        self._records = 0
        self.header = self._converted([])

    def convert(self, records: Sequence[bytes]) -> bytes:
        """The same records in the other form; the more at once, the less is spent on their header.

        Raises:
            RecordError: htslib cannot read one, or it has what its header does not declare.
        """
        converted = self._converted(records)
        self._records += len(records)
        return converted[len(self.header) :]

    def _converted(self, records: Sequence[bytes]) -> bytes:
        taken: list[bytes] = []
        with (
            silent_htslib(),
            _given([self._before, *records]) as source,
            _kept(taken) as target,
            _opened(target, self._mode) as after,
            _opened(source, b"r") as before,
        ):
            self._copy(before, after, len(records))
        return b"".join(taken)

    def _copy(self, before: int, after: int, expected: int) -> None:
        """Header and records from one file of htslib's to another."""
        htslib = _htslib()
        header, record, done = htslib.bcf_hdr_read(before), htslib.bcf_init(), 0
        try:
            if not header or htslib.bcf_hdr_write(after, header):
                needed = "which is needed to change between VCF and BCF; write what the input is"
                raise InputError(f"{self._name}: htslib cannot read its header, {needed}")
            declared = self._text_of(header)
            while not (state := htslib.bcf_read(before, header, record)):
                if htslib.bcf_write(after, header, record):
                    break
                done += 1
            # htslib adds to a header what a record of text has and the header has not.
            undeclared = _added(self._text_of(header), declared)
            if state != _END or done != expected or undeclared:
                place = f"record {self._records + min(done, expected - 1) + 1}"
                raise RecordError(self._name, place, _problem(undeclared))
        finally:
            htslib.bcf_destroy(record)
            if header:
                htslib.bcf_hdr_destroy(header)

    def _text_of(self, header: int) -> bytes:
        self._text.length = 0
        _htslib().bcf_hdr_format(header, 0, self._text)
        return ctypes.string_at(self._text.characters, self._text.length)


def _added(header: bytes, before: bytes) -> list[str]:
    """What a header declares that was not declared before."""
    if header == before:
        return []
    new = set(split_lines(header)) - set(split_lines(before))
    kinds = (line.removeprefix(b"##").partition(b"=")[0] for line in new)
    names = (structured(line).get(b"ID", b"?") for line in new)
    return sorted(
        f"{kind.decode()} {name.decode('utf-8', 'replace')}" for kind, name in zip(kinds, names, strict=True)
    )


def _problem(undeclared: Sequence[str]) -> str:
    if undeclared:
        found = f"the header does not declare {', '.join(undeclared)}, as BCF needs it"
        return f"{found}; add that (bcftools annotate --header-lines), or write .vcf.gz"
    return "htslib cannot read it, which is needed to change between VCF and BCF; write what the input is"


@cache
def _htslib() -> Any:
    """The library that pysam uses."""
    library = ctypes.CDLL(import_module("pysam.libchtslib").__file__)
    for name, (returned, *taken) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = returned, taken
    return library


@contextmanager
def _opened(descriptor: int, mode: bytes) -> Iterator[int]:
    """A file of htslib's, which owns the descriptor."""
    htslib = _htslib()
    raw = htslib.hdopen(descriptor, mode[:1])
    file = raw and htslib.hts_hopen(raw, b"pipe", mode)
    if not file:
        os.close(descriptor)
        raise OSError("htslib cannot open a pipe")
    try:
        yield file
    finally:
        htslib.hts_close(file)


@contextmanager
def _given(pieces: Sequence[bytes]) -> Iterator[int]:
    """A descriptor to read these bytes from; whoever reads closes it."""
    end, into = os.pipe()

    def give() -> None:
        with suppress(BrokenPipeError), open(into, "wb") as pipe:  # noqa: PTH123 - no path
            pipe.writelines(pieces)

    with _beside(give):
        yield end


@contextmanager
def _kept(pieces: list[bytes]) -> Iterator[int]:
    """A descriptor to write to, and then to close; what is written is in `pieces` at the end."""
    end, into = os.pipe()

    def take() -> None:
        with open(end, "rb", buffering=0) as pipe:  # noqa: PTH123 - no path
            pieces.extend(iter(lambda: pipe.read(_PIECE), b""))

    with _beside(take):
        yield into


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """A thread that is waited for where all goes well; else it ends when its pipe does."""
    thread = threading.Thread(target=work, name="htslib", daemon=True)
    thread.start()
    yield
    thread.join()


@contextmanager
def silent_htslib() -> Iterator[None]:
    """What htslib would print is told by an exception."""
    verbosity = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(verbosity)
