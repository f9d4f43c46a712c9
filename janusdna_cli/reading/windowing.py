"""Reads windows at positions, on one strand or both, in batches of equal length.

Tasks ask for windows on the forward strand and get answers in forward-strand coordinates and
letters; the mirror images are this file's business. Nothing is ever padded, so an answer depends
neither on the batch nor on its neighbours in it.

Legend: S strands read, n targets of one window, m positions read of a haplotype, d hidden size.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from janusdna import tokens
from janusdna.nn.edits import Edit
from janusdna.reader import Model

__all__ = [
    "BOTH_STRANDS",
    "FORWARD",
    "REVERSE",
    "Haplotype",
    "HaplotypeReading",
    "Request",
    "WindowReader",
    "WindowReading",
    "own_logp",
]

FORWARD: tuple[bool, ...] = (False,)
REVERSE: tuple[bool, ...] = (True,)
BOTH_STRANDS = FORWARD + REVERSE

# Enough rows to fill a CPU's matrix products, few enough to stay near its caches.
_CPU_BATCH_BP = 65_536
_CUDA_ROWS_PER_BASE = 64
# Above, a GPU is busy with one batch anyway.
_CUDA_BATCH_BP = 1 << 20

# Of PyTorch on a CPU, and of the libraries that it calls on a GPU.
_OUT_OF_MEMORY = ("DefaultCPUAllocator", "CUDA error: out of memory", "ALLOC_FAILED")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Haplotype:
    """A window with its bases [start, end) replaced, to be read around them.

    Attributes:
        start, end: 0-based half-open, within the window.
        ids: Token ids that stand there instead, (a,) uint8.
        first, last: Positions of the window around [start, end) that are read, 0-based half-open; of the
            haplotype these are `first` to `last` + a - (end - start).
    """

    start: int
    end: int
    ids: npt.NDArray[np.uint8]
    first: int
    last: int

    def read_ids(self, window: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Token ids of the haplotype where it is read, (m,)."""
        return np.concatenate((window[self.first : self.start], self.ids, window[self.end : self.last]))


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One window and where to read it.

    Attributes:
        ids: Token ids of the forward strand, (T,) uint8.
        targets: 0-based positions within the window, ascending, (n,), n >= 1.
        strands: Which strands to read: FORWARD, REVERSE or BOTH_STRANDS.
        haplotypes: Edited versions of the window; where they are read the window is read too.
    """

    ids: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.int64]
    strands: tuple[bool, ...]
    haplotypes: Sequence[Haplotype] = ()


class HaplotypeReading(NamedTuple):
    """What a few neighbouring positions of a haplotype come to.

    Attributes:
        logp: Natural log p of the haplotype's own bases by each strand, (S, m) float32; NaN at what is
            not A, C, G or T.
        hidden: Mean over the positions, averaged over the strands, (d,) float64.
    """

    logp: npt.NDArray[np.float32]
    hidden: npt.NDArray[np.float64]


class WindowReading(NamedTuple):
    """The answer to a request, in forward-strand coordinates and letters.

    Attributes:
        logp: Natural log p over A, C, G, T at each target by each strand, (S, n, 4) float32.
        hidden: What the head reads, averaged over the strands, (n, d) float32.
        haplotypes: Of each of the request's.
    """

    logp: npt.NDArray[np.float32]
    hidden: npt.NDArray[np.float32]
    haplotypes: list[HaplotypeReading]


class _Row(NamedTuple):
    """One strand of one request: what a row of a batch reads."""

    request: int
    reverse: bool


class WindowReader:
    """Answers requests with a model.

    Args:
        model: Who reads.
        batch_bp: Bases in one batch; None fits it to the device.
        on_batch: Called with the bases of each batch that is done.

    Attributes:
        overlaps: Whether there is time for other work while the model reads.
        windows: Windows read so far, each strand for itself.
        bases: Bases read so far.
    """

    def __init__(
        self, model: Model, *, batch_bp: int | None = None, on_batch: Callable[[int], None] | None = None
    ) -> None:
        self.windows = 0
        self.bases = 0
        self._model = model
        self._batch_bp = batch_bp or _fitting_batch_bp(model)
        self.overlaps = model.device.type == "cuda"
        self._on_batch = on_batch

    def read(self, requests: Sequence[Request]) -> list[WindowReading]:
        """Answer `requests`, in their order.

        Raises:
            MemoryError: If a single window does not fit; batches of more are halved until they do.
        """
        found: list[list[WindowReading]] = [[] for _ in requests]
        by_length: defaultdict[int, list[_Row]] = defaultdict(list)
        for index, request in enumerate(requests):
            by_length[len(request.ids)].extend(_Row(index, reverse) for reverse in request.strands)
        for rows in by_length.values():
            # Rows with as many targets as their neighbours: a batch reads as many as its longest row.
            rows.sort(key=lambda row: len(requests[row.request].targets))
            for row, reading in self._read_rows(requests, rows):
                found[row.request].append(reading)
        return [_combine(readings) for readings in found]

    def _read_rows(
        self, requests: Sequence[Request], rows: list[_Row]
    ) -> Iterator[tuple[_Row, WindowReading]]:
        length = len(requests[rows[0].request].ids)
        waiting: deque[_Batch] = deque()
        done = 0
        while done < len(rows):
            batch = rows[done : done + max(1, self._batch_bp // length)]
            try:
                waiting.append(_Batch(self._model, requests, batch))
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise MemoryError(f"a window of {length:,} bases does not fit") from error
                self._batch_bp, failed = len(batch) // 2 * length, True
                logger.warning("out of memory: going on with batches of %d bases", self._batch_bp)
            else:
                failed = False
                done += len(batch)
            while len(waiting) > self.overlaps or (waiting and (failed or done == len(rows))):
                yield from self._arrived(waiting.popleft(), length)

    def _arrived(self, batch: _Batch, length: int) -> Iterator[tuple[_Row, WindowReading]]:
        yield from zip(batch.rows, batch.readings(), strict=True)
        self.windows += len(batch.rows)
        self.bases += len(batch.rows) * length
        if self._on_batch is not None:
            self._on_batch(len(batch.rows) * length)


class _Batch:
    """Rows that a model reads at once; on a GPU the answer arrives later, while the next batch is made.

    Args:
        model: Who reads.
        requests: All of them.
        rows: Which strands of which.
    """

    def __init__(self, model: Model, requests: Sequence[Request], rows: Sequence[_Row]) -> None:
        self.rows = rows
        self._strands = [_Strand(requests[row.request], row.reverse) for row in rows]
        edits = [strand.edit(i, each) for i, strand in enumerate(self._strands) for each in strand.haplotypes]
        out = model.read(
            torch.from_numpy(np.stack([strand.ids() for strand in self._strands])),
            torch.from_numpy(_rectangle([strand.targets() for strand in self._strands])),
            edits=edits,
        )
        self._sizes = [len(reading.logits) for reading in out.edits]
        self._arriving = _Arriving(
            [_logp(out.logits), out.hidden.float()]
            + ([_logp(torch.cat([reading.logits for reading in out.edits]))] if edits else [])
            + ([torch.cat([reading.hidden for reading in out.edits]).float()] if edits else [])
        )

    def readings(self) -> list[WindowReading]:
        """The answers, in the order of the rows."""
        logp, hidden, *edited = self._arriving.wait()
        bounds = np.cumsum(self._sizes)[:-1]
        haplotypes = zip(*(np.split(part, bounds) for part in edited), strict=True)
        return [
            strand.reading(logp[i], hidden[i], [next(haplotypes) for _ in strand.haplotypes])
            for i, strand in enumerate(self._strands)
        ]


class _Arriving:
    """Tensors on their way to this side of the machine."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = list(tensors)
        self._event: torch.cuda.Event | None = None
        if tensors[0].device.type == "cuda":
            self._tensors = [
                torch.empty(part.shape, dtype=part.dtype, pin_memory=True).copy_(part, non_blocking=True)
                for part in tensors
            ]
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(tensors[0].device))

    def wait(self) -> list[npt.NDArray[np.float32]]:
        """The tensors, once they are here."""
        if self._event is not None:
            self._event.synchronize()
        return [part.numpy() for part in self._tensors]


@dataclass(frozen=True)
class _Strand:
    """One strand of a request: its mirror image in, forward-strand coordinates and letters out."""

    request: Request
    reverse: bool

    @property
    def haplotypes(self) -> Sequence[Haplotype]:
        return self.request.haplotypes

    def ids(self) -> npt.NDArray[np.uint8]:
        return tokens.reverse_complement(self.request.ids) if self.reverse else self.request.ids

    def targets(self) -> npt.NDArray[np.int64]:
        """Ascending on either strand."""
        targets = self.request.targets
        return (len(self.request.ids) - 1 - targets[::-1]).copy() if self.reverse else targets

    def edit(self, row: int, haplotype: Haplotype) -> Edit:
        start, end, first, last = haplotype.start, haplotype.end, haplotype.first, haplotype.last
        ids, length = haplotype.ids, len(self.request.ids)
        if self.reverse:
            start, end, first, last = length - end, length - start, length - last, length - first
            ids = tokens.reverse_complement(ids)
        return Edit(row, start, end, torch.from_numpy(ids).long(), first, last)

    def reading(
        self,
        logp: npt.NDArray[np.float32],
        hidden: npt.NDArray[np.float32],
        haplotypes: Sequence[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
    ) -> WindowReading:
        """Of log p, (n, 4), and hidden states, (n, d), as this strand was read, and of each haplotype's."""
        count, step = len(self.request.targets), -1 if self.reverse else 1
        found = [
            HaplotypeReading(
                own_logp(self._turned(own), haplotype.read_ids(self.request.ids))[None],
                states.mean(axis=0, dtype=np.float64),
            )
            for haplotype, (own, states) in zip(self.haplotypes, haplotypes, strict=True)
        ]
        return WindowReading(self._turned(logp[:count])[None], hidden[:count][::step], found)

    def _turned(self, logp: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Log p of A, C, G, T, (n, 4); the other strand's turned round is that of T, G, C, A."""
        return logp[::-1, ::-1] if self.reverse else logp


def _logp(logits: Tensor) -> Tensor:
    """Log-softmax over A, C, G, T, (..., 4) float32."""
    return logits[..., tokens.ACGT].float().log_softmax(-1)


def _fitting_batch_bp(model: Model) -> int:
    if model.device.type != "cuda":
        return _CPU_BATCH_BP
    free, _ = torch.cuda.mem_get_info(model.device)
    fitting = free // 2 // (model.bytes_per_base * _CUDA_ROWS_PER_BASE)
    return max(_CPU_BATCH_BP, min(_CUDA_BATCH_BP, fitting))


def _is_out_of_memory(error: Exception) -> bool:
    """Whether an error is lack of memory, which PyTorch tells by a class on CUDA, else in words."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error) for words in _OUT_OF_MEMORY)


def _rectangle(targets: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Targets of unequal number as one array: the missing ones repeat the last and are not used."""
    most = max(len(at) for at in targets)
    return np.stack(
        [at if len(at) == most else np.pad(at, (0, most - len(at)), mode="edge") for at in targets]
    )


def own_logp(logp: npt.NDArray[np.float32], ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Of (..., m, 4) what the m bases themselves have, (..., m); NaN at what is not A, C, G or T."""
    known = tokens.is_base(ids)
    bases = np.where(known, ids.astype(np.int64) - tokens.A, 0)
    found = np.take_along_axis(logp, np.broadcast_to(bases[:, None], (*logp.shape[:-1], 1)), axis=-1)[..., 0]
    return np.where(known, found, np.float32(np.nan))


def _combine(strands: list[WindowReading]) -> WindowReading:
    if len(strands) == 1:
        return strands[0]
    logp = np.concatenate([strand.logp for strand in strands])
    forward, reverse = (strand.hidden for strand in strands)
    hidden: npt.NDArray[np.float32] = (forward + reverse) / np.float32(2)
    haplotypes = [
        HaplotypeReading(
            np.concatenate([reading.logp for reading in readings]),
            np.mean([reading.hidden for reading in readings], axis=0),
        )
        for readings in zip(*(strand.haplotypes for strand in strands), strict=True)
    ]
    return WindowReading(logp, hidden, haplotypes)
