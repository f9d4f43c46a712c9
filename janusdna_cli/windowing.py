"""Reads windows at positions, on one strand or both, in batches of equal length.

Tasks ask for windows on the forward strand and get answers in forward-strand coordinates and
letters; the mirror images are this file's business. Nothing is ever padded, so an answer depends
neither on the batch nor on its neighbours in it.

Legend: S strands read, n targets of one window, d hidden size.
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
from janusdna.reader import Model

__all__ = ["BOTH_STRANDS", "FORWARD", "REVERSE", "Request", "WindowReader", "WindowReading"]

FORWARD: tuple[bool, ...] = (False,)
REVERSE: tuple[bool, ...] = (True,)
BOTH_STRANDS = FORWARD + REVERSE

# Enough rows to fill a CPU's matrix products, few enough to stay near its caches.
_CPU_BATCH_BP = 65_536
_CUDA_FLOATS_PER_BASE = 64

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One window and where to read it.

    Attributes:
        ids: Token ids of the forward strand, (T,) uint8.
        targets: 0-based positions within the window, (n,), n >= 1.
        strands: Which strands to read: FORWARD, REVERSE or BOTH_STRANDS.
    """

    ids: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.int64]
    strands: tuple[bool, ...]


class WindowReading(NamedTuple):
    """The answer to a request, in forward-strand coordinates and letters.

    Attributes:
        logp: Natural log p over A, C, G, T at each target by each strand, (S, n, 4) float32.
        hidden: What the head reads, averaged over the strands, (n, d) float32.
    """

    logp: npt.NDArray[np.float32]
    hidden: npt.NDArray[np.float32]


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
        ids = np.stack([_strand_ids(requests[row.request], row.reverse) for row in batch])
        targets = [_strand_targets(requests[row.request], row.reverse) for row in batch]
        out = self._model.read(torch.from_numpy(ids), torch.from_numpy(_rectangle(targets)))
        logp = _log_probabilities(out.logits)
        hidden = out.hidden.float().cpu().numpy()
        return [
            WindowReading(logp[i, None, : len(at), :: -1 if row.reverse else 1], hidden[i, : len(at)])
            for i, (row, at) in enumerate(zip(batch, targets, strict=True))
        ]


def _fitting_batch_bp(model: Model) -> int:
    if model.device.type != "cuda":
        return _CPU_BATCH_BP
    free, _ = torch.cuda.mem_get_info(model.device)
    width = model.module.head.weight.element_size() * model.config.hidden_size
    return max(_CPU_BATCH_BP, free // 2 // (width * _CUDA_FLOATS_PER_BASE))


def _is_out_of_memory(error: Exception) -> bool:
    """Whether an error is lack of memory, which PyTorch tells by a class on CUDA and in words on a CPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _strand_ids(request: Request, reverse: bool) -> npt.NDArray[np.uint8]:
    return tokens.reverse_complement(request.ids) if reverse else request.ids


def _strand_targets(request: Request, reverse: bool) -> npt.NDArray[np.int64]:
    return len(request.ids) - 1 - request.targets if reverse else request.targets


def _rectangle(targets: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Targets of unequal number as one array: the missing ones repeat the last and are not used."""
    most = max(len(at) for at in targets)
    return np.stack([np.pad(at, (0, most - len(at)), mode="edge") for at in targets])


def _log_probabilities(logits: Tensor) -> npt.NDArray[np.float32]:
    """Log-softmax over A, C, G, T, (B, n, 4) float32."""
    found: npt.NDArray[np.float32] = logits[..., tokens.ACGT].float().log_softmax(-1).cpu().numpy()
    return found


def _combine(strands: list[WindowReading]) -> WindowReading:
    logp = np.concatenate([strand.logp for strand in strands])
    hidden = np.stack([strand.hidden for strand in strands]).mean(axis=0, dtype=np.float32)
    return WindowReading(logp, np.asarray(hidden))
