"""Work that goes on beside the work on what it made before.

Two kinds of threads, for two kinds of waiting. Input may never come, so who reads it is a daemon that the
program does not wait for; it calls nothing that the interpreter's end could cut short in C++, which ends the
whole process. A model is read by a thread that is owned, and joined before its owner goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Queue
from threading import Semaphore, Thread
from typing import TypeVar

__all__ = ["ahead", "one_ahead"]

_PATIENCE_SECONDS = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """`items` in their order, the next one made by a thread while the caller is busy with this one.

    For input alone: no PyTorch within. What making one raises is raised here, in its place. The thread never
    keeps the program from ending, even where it waits for an input that does not come.
    """
    ready: Queue[tuple[Item | None, BaseException | None, bool]] = Queue()
    wanted = Semaphore(1)
    left = False

    def make() -> None:
        iterator = iter(items)
        while True:
            wanted.acquire()
            if left:
                return
            try:
                ready.put((next(iterator), None, False))
            except StopIteration:
                return ready.put((None, None, True))
            except BaseException as error:
                return ready.put((None, error, True))

    thread = Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error, is_last = ready.get()
            if error is not None:
                raise error
            if is_last:
                return
            wanted.release()
            yield item  # type: ignore[misc]
    finally:
        left = True
        wanted.release()
        thread.join(_PATIENCE_SECONDS)


def one_ahead(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work` on each of the items, the next in a thread while the caller is busy with this one's result.

    For a model: whoever stops early waits for the item that is worked on, and no thread is left.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="one-ahead") as worker:
        coming: Future[Result] | None = None
        for item in items:
            done, coming = coming, worker.submit(work, item)
            if done is not None:
                yield done.result()
        if coming is not None:
            yield coming.result()
