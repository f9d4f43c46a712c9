"""The processes of a run: one, or as many as `torchrun` starts, on one machine or many."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import TypeVar

import torch
from torch import Tensor, distributed

from janusdna.reader import resolve_device
from janusdna_cli.errors import InputError

__all__ = ["Ranks", "joined"]

# A rank that validates or writes keeps the others waiting no longer than this.
_PATIENCE = timedelta(hours=1)
# One that has no work left waits for those that have; whose process ends is noticed at once.
_LONG_PATIENCE = timedelta(days=30)
_LAUNCHER = "start with torchrun, which sets what processes need to know of each other, or unset WORLD_SIZE"

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
            self.meet()
            return work()
        done = work()
        self.meet()
        return done

    def any(self, flag: bool) -> bool:
        """Whether any process says so; all must ask."""
        return flag if self.count == 1 else bool(self.total(torch.tensor(float(flag), device=self.device)))

    def agree(self, number: int) -> bool:
        """Whether all processes have the same number; all must ask."""
        sum_of_all = self.total(torch.tensor(float(number), dtype=torch.float64, device=self.device))
        return not self.any(float(sum_of_all) != self.count * number)

    def total(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place.

        Raises:
            InputError: If another process has failed.
        """
        if self.count > 1:
            with self._others_there():
                distributed.all_reduce(tensor)
        return tensor

    def meet(self) -> None:
        """Wait until all processes are here.

        Raises:
            InputError: If another process has failed.
        """
        if self.count > 1:
            with self._others_there():
                distributed.barrier()

    @contextmanager
    def _others_there(self) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise InputError(
                f"rank {self.rank} of {self.count}: another process of the run has failed or was killed; "
                "what that one says, or the system's log, tells why"
            ) from error


@contextmanager
def joined(device: str, *, computes_together: bool = True) -> Iterator[Ranks]:
    """This process, together with those that `torchrun` started beside it.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:i"; under `torchrun` each process takes the GPU of its number.
        computes_together: Whether tensors on the devices are added up; else the processes only meet.

    Raises:
        BackendError: If the device is not there.
        InputError: If one GPU is named for several processes, or these do not find each other.
    """
    count = _count()
    if count == 1:
        yield Ranks(resolve_device(device))
        return
    rank = _whole_number("RANK", below=count)
    if device.startswith("cuda:"):
        raise InputError(f"--device {device}: found {count} processes for one GPU, expected --device cuda")
    where = resolve_device(device)
    if where.type == "cuda":
        where = resolve_device(f"cuda:{_whole_number('LOCAL_RANK', below=count)}")
        torch.cuda.set_device(where)
    if rank != 0:
        logging.getLogger("janusdna").setLevel(logging.ERROR)
        logging.getLogger("janusdna_cli").setLevel(logging.ERROR)
    backend = "nccl" if where.type == "cuda" and computes_together else "gloo"
    _find_each_other(backend, count, _PATIENCE if computes_together else _LONG_PATIENCE)
    try:
        yield Ranks(where, rank, count)
    finally:
        distributed.destroy_process_group()


def _find_each_other(backend: str, count: int, patience: timedelta) -> None:
    # Imported after this, as the optimiser imports it, its functions would keep the group as a default:
    # a group that outlives its destruction may abort the interpreter when that ends.
    import torch.distributed.nn.functional  # noqa: F401

    try:
        distributed.init_process_group(backend, timeout=patience)
    except (ValueError, RuntimeError) as error:
        found = str(error).partition("\n")[0]
        raise InputError(
            f"the {count} processes of the run did not find each other: {found}; {_LAUNCHER}"
        ) from error


def _count() -> int:
    """Processes of the run."""
    return _whole_number("WORLD_SIZE", least=1) if "WORLD_SIZE" in os.environ else 1


def _whole_number(name: str, *, least: int = 0, below: float = inf) -> int:
    """A number that the launcher of the processes sets."""
    text = os.environ.get(name)
    if text is None or not text.isdecimal() or not least <= int(text) < below:
        found = "is not set" if text is None else f"is {text!r}"
        limits = f"{least} or more" if below == inf else f"{least} or more, less than {below}"
        raise InputError(f"the environment's {name} {found}, expected {limits}; {_LAUNCHER}")
    return int(text)
