"""The binary form of VCF: sites out of BCF 2 records, read by htslib.

htslib wants a file of its own, and the bytes here come from a stream whose start was looked at to tell BCF
from VCF. So a thread writes them to a pipe and htslib reads its other end; compression, damage to it and a
missing end are told by the stream, as for text.
"""

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pysam

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.streams import InputStream
from janusdna_cli.genome.variant import Variant

__all__ = ["MAGIC", "BcfReader"]

MAGIC = b"BCF"

_PIECE = 1 << 16


class BcfReader:
    """Variants in file order; a damaged record is the last.

    Args:
        stream: Stands at the file's start. It is this reader's from here on, who closes it.

    Attributes:
        header: The header's lines.

    Raises:
        InputError: Not version 2, or cut off.
    """

    def __init__(self, stream: InputStream) -> None:
        self._name = stream.name
        if stream.peek(len(MAGIC) + 1)[len(MAGIC) :] not in (b"\x02", b""):
            raise InputError(f"{stream.name}: is BCF version 1 or damaged, expected BCF 2; convert it to VCF")
        self._pump = _Pump(stream)
        self._file = self._open()
        self.header = list(_header_lines(self._file.header))

    def records(self) -> Iterator[Variant]:
        """All records.

        Raises:
            InputError: The compressed data is damaged or ends early.
            RecordError: The file ends within a record, or it is damaged.
        """
        for number in itertools.count(1):
            try:
                with _silent_htslib():
                    variant = _variant(next(self._file))
            except StopIteration:
                self._pump.check()
                return
            except (OSError, ValueError) as error:
                self._pump.check()
                problem = "is damaged, or the file ends within it; copy the file again"
                raise RecordError(self._name, f"record {number}", problem) from error
            yield variant

    def close(self) -> None:
        """Let go of the file; the stream is closed as soon as nobody waits for its bytes."""
        self._file.close()

    def _open(self) -> pysam.VariantFile:
        with open(self._pump.end, "rb", buffering=0) as end, _silent_htslib():  # noqa: PTH123 - no path
            try:
                return pysam.VariantFile(end, drop_samples=True)
            except (OSError, ValueError) as error:
                self._pump.check()
                problem = "ends within its header, or the header is damaged; copy the file again"
                raise InputError(f"{self._name}: {problem}") from error


class _Pump:
    """Writes a stream to a pipe until either side ends, and closes both.

    The thread may wait for standard input when nobody wants its bytes any more: the run does not wait for
    it then.

    Attributes:
        end: The file descriptor to read from; whoever opens it closes it.
    """

    def __init__(self, stream: InputStream) -> None:
        self.end, into = os.pipe()
        self._error: InputError | None = None
        threading.Thread(target=self._run, args=(stream, into), name="bcf", daemon=True).start()

    def check(self) -> None:
        """Raise what kept the stream from being read to its end; to be called when the pipe has ended."""
        if self._error is not None:
            raise self._error

    def _run(self, stream: InputStream, into: int) -> None:
        # The reader closes its end when it has enough: no fault of anybody's.
        with suppress(BrokenPipeError), closing(stream), open(into, "wb") as pipe:
            try:
                while piece := stream.read(len(stream.peek(_PIECE)) or 1):  # what is here, without waiting
                    pipe.write(piece)
                    pipe.flush()
            except InputError as error:
                self._error = error
            except ValueError:  # the stream was closed: nobody wants what is left
                return


@contextmanager
def _silent_htslib() -> Iterator[None]:
    """What htslib would print is told by an exception."""
    verbosity = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(verbosity)


def _header_lines(header: pysam.VariantHeader) -> Iterator[bytes]:
    for record in header.records:
        with suppress(UnicodeDecodeError):  # some tool's free text: nothing that is asked for here
            yield str(record).encode()


def _variant(record: pysam.VariantRecord) -> Variant:
    return Variant(record.chrom, record.pos, record.id, record.ref or "", record.alts or ())
