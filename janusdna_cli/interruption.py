"""SIGINT and SIGTERM as something that waits for a good moment."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["between_steps"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def between_steps() -> Iterator[Callable[[], None]]:
    """Gives a function to call at good moments: it raises KeyboardInterrupt once a signal has come.

    A second signal does what it always does. Outside the main thread, where no signal arrives, the function
    does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came = threading.Event()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        came.set()
        restore()

    def proceed() -> None:
        if came.is_set():
            raise KeyboardInterrupt

    for number in _SIGNALS:
        signal.signal(number, note)
    try:
        yield proceed
    finally:
        restore()
