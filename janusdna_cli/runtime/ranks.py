"""The processes of a run: one, or as many as `torchrun` starts, on one machine or many."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

from janusdna.reader import resolve_device
from janusdna_cli.errors import InputError

__all__ = ["Ranks", "joined"]

# A rank that validates or writes keeps the others waiting no longer than this.
_PATIENCE = timedelta(hours=1)


Result = TypeVar("Result")


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run.

    Attributes:
        device: What this process computes on.
        rank: Its number, from 0; 0 writes and speaks.
        count: How many there are.
    """

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def first_alone(self, work: Callable[[], Result]) -> Result:
        """`work` by the first process, and then by the others: what it writes is there for them."""
        if not self.is_first:
            distributed.barrier()
            return work()
        done = work()
        if self.count > 1:
            distributed.barrier()
        return done

    def any(self, flag: bool) -> bool:
        """Whether any process says so; all must ask."""
        return flag if self.count == 1 else bool(self.total(torch.tensor(float(flag), device=self.device)))

    def agree(self, number: int) -> bool:
        """Whether all processes have the same number; all must ask."""
        sum_of_all = self.total(torch.tensor(float(number), dtype=torch.float64, device=self.device))
        return not self.any(float(sum_of_all) != self.count * number)

    def total(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place."""
        if self.count > 1:
            distributed.all_reduce(tensor)
        return tensor


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """This process, together with those that `torchrun` started beside it.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:i"; under `torchrun` each process takes the GPU of its number.

    Raises:
        BackendError: If the device is not there.
        InputError: If one GPU is named for several processes.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks(resolve_device(device))
        return
    if device.startswith("cuda:"):
        raise InputError(f"--device {device}: found {count} processes for one GPU, expected --device cuda")
    where = resolve_device(device)
    if where.type == "cuda":
        where = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(where)
    if os.environ["RANK"] != "0":
        logging.getLogger("janusdna").setLevel(logging.ERROR)
        logging.getLogger("janusdna_cli").setLevel(logging.ERROR)
    distributed.init_process_group("nccl" if where.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Ranks(where, distributed.get_rank(), count)
    finally:
        distributed.destroy_process_group()
