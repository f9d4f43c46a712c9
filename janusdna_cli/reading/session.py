"""What every task shares: the settings of a model, and what an output says of its origin."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

import janusdna
from janusdna import tokens
from janusdna.bundled import bundled_folder
from janusdna.errors import SequenceError
from janusdna.ops.cpu.threads import set_threads
from janusdna.reader import Model, load
from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window
from janusdna_cli.outputs.schemas import SCHEMA_VERSION
from janusdna_cli.reading.ahead import ahead
from janusdna_cli.reading.windowing import Request, WindowReader, WindowReading
from janusdna_cli.runtime.progress import format_summary

__all__ = [
    "FALLBACK_WINDOW",
    "ModelSettings",
    "Summary",
    "encode_window",
    "in_chunks",
    "in_step",
    "is_seekable",
    "open_model",
    "provenance",
    "stem",
    "unannounced",
    "window_size",
]

FALLBACK_WINDOW = 1024
# Of these, up to four are in memory at a time.
_CHUNK_BYTES = 32 << 20
_CHUNK_ITEMS = 1024
_SUFFIXES = (".gz", ".bgz", ".vcf", ".bcf", ".bed", ".fa", ".fasta", ".fna", ".narrowPeak")

Item = TypeVar("Item")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """How to read, whatever is read.

    Attributes:
        model: A directory, a bundled or pulled model's name, or a reference checkpoint; None for the bundled.
        window: Bases of context; None for the length the model was trained on.
        both_strands: Average over both strands.
        device: "auto", "cpu", "cuda" or "cuda:i".
        dtype: "auto", "float32" or "bfloat16".
        kv_dtype: What a window's keys and values are kept in: "auto" for `dtype`, "float32" or "bfloat16".
        kernels: "auto", "triton", "mamba-ssm" or "reference".
        batch_bp: Bases in one batch; None fits it to the memory.
        threads: CPU threads; None for all.
        quiet: Show no progress.
    """

    model: str | None = None
    window: int | None = None
    both_strands: bool = True
    device: str = "auto"
    dtype: str = "auto"
    kv_dtype: str = "auto"
    kernels: str = "auto"
    batch_bp: int | None = None
    threads: int | None = None
    quiet: bool = False


@dataclass
class Summary:
    """What a run did.

    Attributes:
        output: Where the table is.
        unit: What a row is, in the plural.
        counts: Rows by status.
        windows: Windows read, each strand for itself.
        bases: Bases read.
        seconds: Time taken, without loading the model.
    """

    output: str
    unit: str
    counts: Counter[str] = field(default_factory=Counter)
    windows: int = 0
    bases: int = 0
    seconds: float = 0.0
    _started: float = field(default_factory=time.monotonic, repr=False)

    def finish(self, reader: WindowReader) -> Self:
        """Take the time and what `reader` read, and say it in one line."""
        self.windows, self.bases = reader.windows, reader.bases
        self.seconds = time.monotonic() - self._started
        logger.info(
            format_summary(self.counts, self.windows, self.bases, self.seconds, self.output, unit=self.unit)
        )
        return self


def in_chunks(items: Iterable[Item], bytes_in_flight: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Cut `items` into lists that are in flight together, bounded in number and in bytes."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += bytes_in_flight(item)
        if size >= _CHUNK_BYTES or len(chunk) == _CHUNK_ITEMS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def in_step(
    asked: Iterable[tuple[Item, Sequence[Request]]], reader: WindowReader
) -> Iterator[tuple[Item, list[WindowReading]]]:
    """Chunks of work with the readings that they ask for, so that the reader seldom waits.

    The next chunk's requests are made while this one's are read; on a GPU it is also read while this one's
    readings are worked on.
    """
    read = ((item, reader.read(requests)) for item, requests in ahead(asked))
    return ahead(read) if reader.overlaps else read


def encode_window(reference: Reference, window: Window) -> npt.NDArray[np.uint8]:
    """Token ids of a window's forward strand.

    Raises:
        InputError: If the reference holds a letter there that is no nucleotide code.
    """
    try:
        return tokens.encode(reference.fetch(window.contig, window.start, window.end))
    except SequenceError as error:
        place = f"{window.contig}:{window.start}-{window.end}"
        raise InputError(f"{reference.path}: {place}: {error}; is this a nucleotide FASTA?") from None


@contextmanager
def unannounced() -> Iterator[None]:
    """Read an input ahead of the work, without the notes on it that the work itself will give."""
    notes = logging.getLogger("janusdna")
    level = notes.level
    notes.setLevel(logging.ERROR)
    try:
        yield
    finally:
        notes.setLevel(level)


def is_seekable(source: str) -> bool:
    """Whether an input can be read a second time: a file, and no pipe."""
    return source != "-" and Path(source).is_file()


def open_model(settings: ModelSettings) -> Model:
    """Load the model that `settings` name, on their device and threads.

    Raises:
        CheckpointError: If it cannot be used.
        BackendError: If the device is not there.
    """
    if settings.threads is not None:
        set_threads(settings.threads)
    model = load(
        bundled_folder() if settings.model is None else settings.model,
        device=settings.device,
        dtype=settings.dtype,
        kv_dtype=settings.kv_dtype,
        kernels=settings.kernels,
    )
    if model.info.provenance.get("trained") is False:
        logger.warning("model %s is untrained: its numbers show the way and mean nothing", model.info.name)
    objective = model.info.provenance.get("objective", "janus")
    if objective != "janus":
        logger.warning(
            "model %s was trained with --objective %s and is read as all models are, each base from all "
            "others, which it has not learned: its numbers are for comparisons only",
            model.info.name, objective,
        )  # fmt: skip
    if model.info.slow_because is not None:
        logger.warning("%s", model.info.slow_because)
    logger.debug("model %s on %s in %s, kernels %s", *_identity(model))
    return model


def _identity(model: Model) -> tuple[str, str, str, dict[str, str]]:
    return model.info.name, model.info.device, model.info.dtype, model.info.kernels


def window_size(settings: ModelSettings, model: Model) -> int:
    """Bases of context to read, with one warning where they are more than the model was trained on."""
    trained = model.config.trained_length
    size = settings.window or trained or FALLBACK_WINDOW
    if trained is not None and size > trained:
        logger.warning(
            "window %s is longer than the %s bases that %s was trained on",
            f"{size:,}", f"{trained:,}", model.info.name,
        )  # fmt: skip
    return size


def provenance(
    settings: ModelSettings, model: Model, reference: Reference, contigs: Iterable[str], window: int
) -> dict[str, Any]:
    """What makes an output reproducible, as its file metadata keeps it."""
    return {
        "version": janusdna.__version__,
        "command": sys.argv,
        "model": {"name": model.info.name, "sha256": model.info.sha256},
        "reference": Path(reference.path).name,
        "contig_md5": {contig: reference.md5(contig) for contig in contigs},
        "window": window,
        "both_strands": settings.both_strands,
        "dtype": model.info.dtype,
        "kv_dtype": model.info.kv_dtype,
        "device": model.info.device,
        "kernels": model.info.kernels,
        "schema_version": SCHEMA_VERSION,
    }


def stem(path: str) -> str:
    """A file's name without its folder and the suffixes of its format; `stdin` for `-`."""
    name = "stdin" if path == "-" else Path(path).name
    while Path(name).suffix in _SUFFIXES:
        name = Path(name).stem
    return name
