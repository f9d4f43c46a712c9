"""Reads windows at positions, on one strand or both, in batches of equal length.

Tasks ask for windows on the forward strand and get answers in forward-strand coordinates and
letters; the mirror images are this file's business. Nothing is ever padded, so an answer depends
neither on the batch nor on its neighbours in it.

Legend: S strands read, n targets of one window, m positions read of a haplotype, d hidden size.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from janusdna import tokens
from janusdna.nn.edits import Edit
from janusdna.reader import Model, Reading

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
_CUDA_FLOATS_PER_BASE = 64

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
        done = 0
        while done < len(rows):
            batch = rows[done : done + max(1, self._batch_bp // length)]
            try:
                readings = self._read_batch(requests, batch)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise MemoryError(f"a window of {length:,} bases does not fit") from error
                self._batch_bp = len(batch) // 2 * length
                logger.warning("out of memory: going on with batches of %d bases", self._batch_bp)
                continue
            yield from zip(batch, readings, strict=True)
            done += len(batch)
            self.windows += len(batch)
            self.bases += len(batch) * length
            if self._on_batch is not None:
                self._on_batch(len(batch) * length)

    def _read_batch(self, requests: Sequence[Request], batch: list[_Row]) -> list[WindowReading]:
        strands = [_Strand(requests[row.request], row.reverse) for row in batch]
        numbered = [(i, haplotype) for i, strand in enumerate(strands) for haplotype in strand.haplotypes]
        haplotypes: list[dict[int, HaplotypeReading]] = [{} for _ in strands]

        def on_edit(index: int, found: Reading) -> None:
            i, haplotype = numbered[index]
            haplotypes[i][index] = strands[i].haplotype_reading(haplotype, found)

        out = self._model.read(
            torch.from_numpy(np.stack([strand.ids() for strand in strands])),
            torch.from_numpy(_rectangle([strand.targets() for strand in strands])),
            edits=[strands[i].edit(i, haplotype) for i, haplotype in numbered],
            on_edit=on_edit,
        )
        return [
            strand.reading(
                Reading(out.hidden[i], out.logits[i]), [found for _, found in sorted(haplotypes[i].items())]
            )
            for i, strand in enumerate(strands)
        ]


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

    def reading(self, found: Reading, haplotypes: list[HaplotypeReading]) -> WindowReading:
        count, step = len(self.request.targets), -1 if self.reverse else 1
        hidden = found.hidden[:count].float().cpu().numpy()
        return WindowReading(self._logp(found.logits[:count])[None], hidden[::step], haplotypes)

    def haplotype_reading(self, haplotype: Haplotype, found: Reading) -> HaplotypeReading:
        own = own_logp(self._logp(found.logits), haplotype.read_ids(self.request.ids))
        return HaplotypeReading(own[None], found.hidden.double().mean(0).cpu().numpy())

    def _logp(self, logits: Tensor) -> npt.NDArray[np.float32]:
        """Log-softmax over A, C, G, T, (n, 4) float32; the other strand's turned round is over T, G, C, A."""
        logp: npt.NDArray[np.float32] = logits[:, tokens.ACGT].float().log_softmax(-1).cpu().numpy()
        return logp[::-1, ::-1] if self.reverse else logp


def _fitting_batch_bp(model: Model) -> int:
    if model.device.type != "cuda":
        return _CPU_BATCH_BP
    free, _ = torch.cuda.mem_get_info(model.device)
    width = model.module.head.weight.element_size() * model.config.hidden_size
    return max(_CPU_BATCH_BP, free // 2 // (width * _CUDA_FLOATS_PER_BASE))


def _is_out_of_memory(error: Exception) -> bool:
    """Whether an error is lack of memory, which PyTorch tells by a class on CUDA and in words on a CPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _rectangle(targets: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Targets of unequal number as one array: the missing ones repeat the last and are not used."""
    most = max(len(at) for at in targets)
    return np.stack([np.pad(at, (0, most - len(at)), mode="edge") for at in targets])


def own_logp(logp: npt.NDArray[np.float32], ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Of (..., m, 4) what the m bases themselves have, (..., m); NaN at what is not A, C, G or T."""
    known = tokens.is_base(ids)
    bases = np.where(known, ids.astype(np.int64) - tokens.A, 0)
    found = np.take_along_axis(logp, np.broadcast_to(bases[:, None], (*logp.shape[:-1], 1)), axis=-1)[..., 0]
    return np.where(known, found, np.float32(np.nan))


def _combine(strands: list[WindowReading]) -> WindowReading:
    logp = np.concatenate([strand.logp for strand in strands])
    hidden = np.stack([strand.hidden for strand in strands]).mean(axis=0, dtype=np.float32)
    haplotypes = [
        HaplotypeReading(
            np.concatenate([reading.logp for reading in readings]),
            np.mean([reading.hidden for reading in readings], axis=0),
        )
        for readings in zip(*(strand.haplotypes for strand in strands), strict=True)
    ]
    return WindowReading(logp, np.asarray(hidden), haplotypes)
