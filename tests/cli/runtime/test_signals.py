import signal
import threading

import pytest

from janusdna_cli.runtime.signals import Terminated, noted_signals, raise_on_signals

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _defaults():
    """Whoever runs the tests may ignore signals."""
    before = {number: signal.getsignal(number) for number in ALL}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in ALL[1:]:
        signal.signal(number, signal.SIG_DFL)
    yield
    raise_on_signals()  # the tests after this have nothing to do with what has come
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ALL)
def test_a_signal_is_noted_and_waits(number):
    before = {other: signal.getsignal(other) for other in ALL}
    with noted_signals() as came:
        assert not came()
        signal.raise_signal(number)
        assert came()
    assert {other: signal.getsignal(other) for other in ALL} == before


def come(number, times=1, *, end=False):
    """A run that notes a signal, and ends as pretraining does."""
    with noted_signals() as came:
        for _ in range(times):
            signal.raise_signal(number)
            assert came()
        if end:
            raise KeyboardInterrupt


def test_the_second_one_does_what_it_always_does():
    with pytest.raises(KeyboardInterrupt):
        come(signal.SIGINT, times=2)


@pytest.mark.parametrize(
    ("number", "kind"), [(ALL[0], KeyboardInterrupt), (ALL[1], Terminated), (ALL[2], Terminated)]
)
def test_the_end_that_a_signal_led_to_says_which(number, kind):
    with pytest.raises(KeyboardInterrupt) as caught:
        come(number, end=True)
    assert type(caught.value) is kind
    assert getattr(caught.value, "signal", signal.SIGINT) == number


@pytest.mark.parametrize("number", ALL)
def test_what_the_caller_ignores_stays_ignored(number):
    signal.signal(number, signal.SIG_IGN)
    raise_on_signals()
    signal.raise_signal(number)
    with noted_signals() as came:
        signal.raise_signal(number)
        assert not came()
    assert signal.getsignal(number) is signal.SIG_IGN


@pytest.mark.parametrize("number", ALL[1:])
def test_the_first_is_raised_and_no_other_is_in_the_way_of_the_end(number):
    raise_on_signals()
    with pytest.raises(Terminated) as caught:
        signal.raise_signal(number)
    assert caught.value.signal == number
    for other in ALL[1:]:
        signal.raise_signal(other)


def test_a_signal_that_pretraining_notes_is_raised_by_the_next():
    raise_on_signals()
    with pytest.raises(Terminated):
        come(signal.SIGTERM, times=2)


def test_outside_the_main_thread():
    found = []

    def work():
        raise_on_signals()
        with noted_signals() as came:
            found.append(came())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
