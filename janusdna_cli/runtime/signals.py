"""SIGTERM and SIGHUP as Ctrl-C is: an exception that clears away what was begun, or told at a good moment.

A signal that the caller ignores (`nohup`, `&` in a script) stays ignored.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Terminated", "noted_signals", "raise_on_signals", "terminated"]

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came.

    Attributes:
        signal: Which.
    """

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)


_raised: list[Terminated] = []


def terminated() -> Terminated | None:
    """What was raised because a signal came since `raise_on_signals`: a library may have lost it."""
    return _raised[-1] if _raised else None


def raise_on_signals() -> None:
    """From now on SIGTERM and SIGHUP raise `Terminated` in the main thread, once."""
    if threading.current_thread() is not threading.main_thread():
        return
    _raised.clear()
    numbers = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]

    def terminate(number: int, frame: FrameType | None) -> None:
        for other in numbers:  # a second one must not interrupt the clearing away
            signal.signal(other, signal.SIG_IGN)
        _raised.append(Terminated(number))
        raise _raised[-1]

    for number in numbers:
        signal.signal(number, terminate)


@contextmanager
def noted_signals() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether SIGINT, SIGTERM or SIGHUP has come.

    A second one does what it always does. Outside the main thread no signal arrives.

    Raises:
        Terminated: Instead of a KeyboardInterrupt that a SIGTERM or SIGHUP led to.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came: list[int] = []
    found = {number: signal.getsignal(number) for number in (signal.SIGINT, *_ENDING)}
    before = {number: handler for number, handler in found.items() if handler is not signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        restore()

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    except KeyboardInterrupt as interrupt:
        if came and came[0] in _ENDING and not isinstance(interrupt, Terminated):
            raise Terminated(came[0]) from interrupt
        raise
    finally:
        restore()
