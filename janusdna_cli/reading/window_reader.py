"""Answers requests with a model, in batches of windows of equal length.

Tasks ask for windows on the forward strand and get answers in forward-strand coordinates and letters.
Nothing is ever padded, so an answer depends neither on the batch nor on its neighbours in it.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from janusdna import tokens
from janusdna.layers import FUSED
from janusdna.reader import Model
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.requests import Request
from janusdna_cli.reading.strands import Positions, StrandOfRequest, averaged

__all__ = ["WindowReader", "fitting_batch_bp", "is_out_of_memory"]

# Enough rows to fill a CPU's matrix products, few enough to stay near its caches.
_CPU_BATCH_BP = 65_536
_CUDA_ROWS_PER_BASE = 64
# Above, a GPU is busy with one batch anyway.
_CUDA_BATCH_BP = 1 << 20

# Of PyTorch on a CPU, and of the libraries that it calls on a GPU.
_OUT_OF_MEMORY = ("DefaultCPUAllocator", "CUDA error: out of memory", "ALLOC_FAILED")

logger = logging.getLogger(__name__)


class WindowReader:
    """Answers requests with a model.

    Args:
        model: Who reads.
        layer: Whose states are answered, as `Model.read` names it.
        batch_bp: Bases in one batch; None fits it to the device.
        on_batch: Called with the windows and the bases of each batch that is done.

    Attributes:
        overlaps: Whether there is time for other work while the model reads.
        windows: Windows read so far, each strand for itself.
        bases: Bases read so far.
    """

    def __init__(
        self,
        model: Model,
        *,
        layer: str = FUSED.name,
        batch_bp: int | None = None,
        on_batch: Callable[[int, int], None] | None = None,
    ) -> None:
        self.windows = 0
        self.bases = 0
        self._model = model
        self._layer = layer
        self._batch_bp = batch_bp or fitting_batch_bp(model)
        self.overlaps = model.device.type == "cuda"
        self._on_batch = on_batch

    def answer(self, requests: Sequence[Request]) -> dict[Request, WindowAnswer]:
        """The answer to each of `requests`.

        Raises:
            MemoryError: If a single window does not fit; batches of more are halved until they do.
        """
        found: dict[Request, list[WindowAnswer]] = {request: [] for request in requests}
        by_length: defaultdict[int, list[StrandOfRequest]] = defaultdict(list)
        for request in requests:
            rows = (StrandOfRequest(request, reverse) for reverse in request.strands)
            by_length[len(request.ids)].extend(rows)
        for length, rows_of_length in by_length.items():
            # Rows with as many targets as their neighbours: a batch reads as many as its longest row.
            rows_of_length.sort(key=lambda row: len(row.request.targets))
            for answer in self._read(rows_of_length, length):
                found[answer.request].append(answer)
        return {request: averaged(strands) for request, strands in found.items()}

    def _read(self, rows: list[StrandOfRequest], length: int) -> Iterator[WindowAnswer]:
        waiting: deque[_Batch] = deque()
        done = 0
        while done < len(rows):
            batch = rows[done : done + max(1, self._batch_bp // length)]
            try:
                waiting.append(_Batch(self._model, batch, self._layer))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
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

    def _arrived(self, batch: _Batch, length: int) -> Iterator[WindowAnswer]:
        yield from batch.answers()
        self.windows += len(batch.rows)
        self.bases += len(batch.rows) * length
        if self._on_batch is not None:
            self._on_batch(len(batch.rows), len(batch.rows) * length)


class _Batch:
    """Rows that a model reads at once; on a GPU the answer arrives later, while the next batch is made.

    Args:
        model: Who reads.
        rows: Of equal length.
        layer: Whose states are read.
    """

    def __init__(self, model: Model, rows: Sequence[StrandOfRequest], layer: str) -> None:
        self.rows = rows
        self._edited = [(i, each) for i, row in enumerate(rows) for each in row.request.haplotypes]
        out = model.read(
            torch.from_numpy(np.stack([row.ids() for row in rows])),
            torch.from_numpy(_rectangle([row.targets() for row in rows])),
            edits=[rows[i].edit(i, haplotype) for i, haplotype in self._edited],
            layer=layer,
        )
        self._sizes = [len(edited.logits) for edited in out.edits]
        self._arriving = _Arriving(
            [_logp(out.logits), out.hidden.float()]
            + ([_logp(torch.cat([edited.logits for edited in out.edits]))] if out.edits else [])
            + ([torch.cat([edited.hidden for edited in out.edits]).float()] if out.edits else [])
        )

    def answers(self) -> Iterator[WindowAnswer]:
        """A row's answer each."""
        logp, hidden, *edited = self._arriving.wait()
        bounds = np.cumsum(self._sizes)[:-1]
        parts = map(Positions, *(np.split(part, bounds) for part in edited)) if edited else iter(())
        haplotypes = dict(zip(self._edited, parts, strict=True))
        for i, row in enumerate(self.rows):
            own = {each: haplotypes[i, each] for each in row.request.haplotypes}
            yield row.answer(Positions(logp[i], hidden[i]), own)


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


def _logp(logits: Tensor) -> Tensor:
    """Log-softmax over A, C, G, T, (..., 4) float32."""
    return logits[..., tokens.ACGT].float().log_softmax(-1)


def fitting_batch_bp(model: Model) -> int:
    """Bases that a model reads at once."""
    if model.device.type != "cuda":
        return _CPU_BATCH_BP
    free, _ = torch.cuda.mem_get_info(model.device)
    fitting = free // 2 // (model.bytes_per_base * _CUDA_ROWS_PER_BASE)
    return max(_CPU_BATCH_BP, min(_CUDA_BATCH_BP, fitting))


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error is lack of memory, which PyTorch tells by a class on CUDA, else in words."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error) for words in _OUT_OF_MEMORY)


def _rectangle(targets: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Targets of unequal number as one array: the missing ones repeat the last and are not used."""
    most = max(len(at) for at in targets)
    return np.stack(
        [at if len(at) == most else np.pad(at, (0, most - len(at)), mode="edge") for at in targets]
    )
