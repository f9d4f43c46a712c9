"""CPU threads: one number for PyTorch's pool and the compiled kernels', and work that runs side by side.

A thread's share of the CPU is what `torch.get_num_threads()` says in it; the compiled kernels keep to
it as PyTorch's operations do.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

import torch

__all__ = ["run_in_slices", "set_threads", "side_by_side"]

_SLICES_PER_THREAD = 2

Result = TypeVar("Result")


def set_threads(count: int) -> None:
    """Let every CPU kernel use `count` threads."""
    torch.set_num_threads(count)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="janusdna-kernel")


@cache
def _stream_pool() -> ThreadPoolExecutor:
    """Apart from the kernels' pools: what runs here waits for those."""
    return ThreadPoolExecutor(2, thread_name_prefix="janusdna-stream")


def run_in_slices(work: Callable[[int, int], None], items: int, *, least: int = 1) -> None:
    """Call `work(start, end)` on slices that cover range(items), in parallel.

    Args:
        work: Must release the interpreter lock to gain anything.
        items: How many there are.
        least: Items worth a thread of their own.
    """
    threads = torch.get_num_threads()
    slices = min(items // least, threads * _SLICES_PER_THREAD)
    if threads == 1 or slices <= 1:
        work(0, items)
        return
    bounds = [items * i // slices for i in range(slices + 1)]
    pool = _pool(threads)
    for done in [pool.submit(work, a, b) for a, b in pairwise(bounds)]:
        done.result()


def side_by_side(one: Callable[[], Result], other: Callable[[], Result]) -> tuple[Result, Result]:
    """Run both in inference mode, each in a thread with half of this thread's share of the CPU.

    Two long chains of small operations gain more from a core each than from sharing every operation.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return one(), other()

    def run(work: Callable[[], Result]) -> Result:
        torch.set_num_threads(threads // 2)
        with torch.inference_mode():
            return work()

    first, second = (_stream_pool().submit(run, work) for work in (one, other))
    return first.result(), second.result()
