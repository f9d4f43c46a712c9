"""One number of CPU threads for PyTorch's pool and the compiled kernels' pool.

The two never work at the same time: a kernel is called between PyTorch operations and waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch

__all__ = ["run_in_slices", "set_threads"]

_SLICES_PER_THREAD = 2


def set_threads(count: int) -> None:
    """Let every CPU kernel use `count` threads."""
    torch.set_num_threads(count)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="janusdna-kernel")


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
