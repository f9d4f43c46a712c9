"""Items made in a thread, one ahead of the work on them."""

import threading
import time

import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.reading.ahead import ahead


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
