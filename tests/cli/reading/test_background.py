"""Work done beside other work, and that nothing of it is left when its owner goes on."""

import threading
import time

import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.reading.background import ahead, one_ahead


def test_all_items_in_their_order():
    assert list(ahead(range(1000))) == list(range(1000))
    assert list(ahead([])) == []
    assert list(ahead([None, False, 0])) == [None, False, 0]


def test_the_next_item_is_made_while_this_one_is_worked_on_and_no_other():
    made = []

    def items():
        for number in range(10):
            made.append((number, threading.current_thread().name))
            yield number

    coming = ahead(items())
    for number in coming:
        deadline = time.monotonic() + 10
        while len(made) < min(10, number + 2) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.005)
        assert [made_number for made_number, _ in made] == list(range(min(10, number + 2)))
    assert {name for _, name in made} == {"ahead"}


def test_an_error_comes_in_its_place():
    def items():
        yield 1
        yield 2
        raise InputError("line 3 is broken")

    coming = ahead(items())
    assert [next(coming), next(coming)] == [1, 2]
    with pytest.raises(InputError, match="line 3 is broken"):
        next(coming)


def test_whoever_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    for number in ahead(iter(int, 1)):
        assert number == 0
        break
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert threading.active_count() == before


def test_an_input_that_never_comes_does_not_hold_the_caller():
    never = threading.Event()

    def items():
        yield 1
        never.wait(60)
        yield 2

    started = time.monotonic()
    for _ in ahead(items()):
        break
    assert time.monotonic() - started < 30
    never.set()


def test_one_is_worked_on_while_the_last_result_is_looked_at():
    worked, threads = [], set()

    def work(number):
        threads.add(threading.current_thread().name)
        worked.append(number)
        return number * number

    for at, result in enumerate(one_ahead(work, range(20))):
        assert result == at * at
        deadline = time.monotonic() + 10
        while len(worked) < min(20, at + 2) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(worked) == min(20, at + 2)
    assert len(threads) == 1
    assert threading.current_thread().name not in threads
    assert list(one_ahead(work, [])) == []


@pytest.mark.parametrize("stop", ["break", "error here", "error there"])
def test_the_worker_is_joined_however_its_owner_stops(stop):
    """What it works on may be PyTorch, and the interpreter's end within that ends the process by a signal."""
    before, running = threading.active_count(), []

    def work(number):
        running.append(number)
        time.sleep(0.05)
        if stop == "error there" and number == 3:
            raise InputError("the model failed")
        running.remove(number)
        return number

    def all_of_it():
        for number in one_ahead(work, range(100)):
            if number == 2 and stop == "break":
                break
            if number == 2 and stop == "error here":
                raise InputError("no room for the table")

    if stop == "break":
        all_of_it()
    else:
        with pytest.raises(InputError):
            all_of_it()
    assert running in ([], [3])
    assert threading.active_count() == before
