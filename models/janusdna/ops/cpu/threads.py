"""CPU threads: one number for PyTorch's pool and the compiled kernels', and work that runs side by side.

A thread's share of the CPU is what `torch.get_num_threads()` says in it; the compiled kernels keep to
it as PyTorch's operations do.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise
from typing import TypeVar

import torch

__all__ = ["run_all", "run_in_slices", "set_threads", "side_by_side", "slices"]

_SLICES_PER_THREAD = 2

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

_is_forked = False


def set_threads(count: int) -> None:
    """Let every CPU kernel use `count` threads; in a forked process one, with a warning where it is not."""
    if _is_forked and count > 1:
        logger.warning(
            "a forked process reads with one thread, as PyTorch's others stay in its parent: "
            "start it by multiprocessing's spawn to use %d",
            count,
        )
        count = 1
    torch.set_num_threads(count)


@cache
def _pool(owner: int, threads: int) -> ThreadPoolExecutor:
    """One for each thread that shares out work: streams side by side do not wait for each other."""
    return ThreadPoolExecutor(threads, thread_name_prefix="janusdna-kernel")


@cache
def _stream_pool(threads: int) -> ThreadPoolExecutor:
    """Apart from the kernels' pools: what runs here waits for those."""
    return ThreadPoolExecutor(threads, thread_name_prefix="janusdna-stream")


def run_in_slices(work: Callable[[int, int], None], items: int, *, least: int = 1) -> None:
    """Call `work(start, end)` on slices that cover range(items), in parallel.

    Args:
        work: Must release the interpreter lock to gain anything.
        items: How many there are.
        least: Items worth a thread of their own.
    """
    run_all([partial(work, *part) for part in slices(items, least=least)])


def slices(items: int, *, least: int = 1) -> list[tuple[int, int]]:
    """Bounds of the slices of range(items) that threads can share out among them."""
    threads = torch.get_num_threads()
    count = 1 if threads == 1 else max(1, min(items // least, threads * _SLICES_PER_THREAD))
    return list(pairwise(items * i // count for i in range(count + 1)))


def run_all(work: Sequence[Callable[[], None]]) -> None:
    """Call each, in parallel."""
    if len(work) == 1:
        work[0]()
        return
    pool = _pool(threading.get_ident(), torch.get_num_threads())
    for done in [pool.submit(one) for one in work]:
        done.result()


def side_by_side(*work: Callable[[], Result]) -> list[Result]:
    """Run all in this thread's gradient mode, each in a thread with its share of this thread's CPU cores.

    Long chains of small operations gain more from a core each than from sharing every operation.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(work) == 1:
        return [one() for one in work]
    inference, gradient = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def run(one: Callable[[], Result]) -> Result:
        torch.set_num_threads(max(1, threads // len(work)))
        with torch.inference_mode(inference), torch.set_grad_enabled(gradient):
            return one()

    running = [_stream_pool(len(work)).submit(run, one) for one in work]
    return [one.result() for one in running]


def _begin_forked() -> None:
    """Of threads, a forked process has one: to wait for those of its parent would be to wait for ever.

    That holds for the pools here, which are forgotten, and for PyTorch's, which a single thread does not use.
    """
    global _is_forked
    _is_forked = True
    _pool.cache_clear()
    _stream_pool.cache_clear()
    torch.set_num_threads(1)


os.register_at_fork(after_in_child=_begin_forked)
