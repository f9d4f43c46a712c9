"""Work that goes on beside the work on what it made before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Queue
from threading import Semaphore, Thread
from typing import TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """`items` in their order, the next one made by a thread while the caller is busy with this one.

    What making one raises is raised here, in its place. The thread never keeps the program from ending,
    even where it waits for an input that does not come.
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

    Thread(target=make, name="ahead", daemon=True).start()
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
