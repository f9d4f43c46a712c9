"""Rows worked on by group come out in the order in which they came in."""

import random
from typing import Any

import pytest
from janusdna_cli.variants.order import InputOrder

from janusdna_cli.errors import InputError
from janusdna_cli.variants import order as order_module

Rows = list[tuple[Any, tuple[str, int] | None]]


def ready(order: InputOrder) -> list[tuple[Any, Any]]:
    return [pair for batch in order.ready() for pair in batch]


def test_groups_come_in_the_order_of_their_first_rows():
    rows: Rows = [
        ("a", ("2", 5)),
        ("b", ("1", 5)),
        ("c", ("2", 5)),
        ("d", None),
        ("e", ("1", 0)),
        ("f", ("1", 5)),
    ]
    with InputOrder() as order:
        order.add(rows)
        found = list(order.groups())
    assert found == [[(0, "a"), (2, "c")], [(1, "b"), (5, "f")], [(4, "e")]]


def test_a_row_waits_for_the_rows_before_it():
    with InputOrder() as order:
        order.add([("a", None), ("b", ("1", 0)), ("c", None), ("d", ("1", 7)), ("e", ("1", 0))])
        assert ready(order) == [("a", None)]
        order.answer([(3, "late")])
        assert ready(order) == []
        order.answer([(1, {"score": 1.5}), (4, "E")])
        assert ready(order) == [("b", {"score": 1.5}), ("c", None), ("d", "late"), ("e", "E")]
        assert ready(order) == []


def test_nothing_in_nothing_out():
    with InputOrder() as order:
        order.add([])
        assert list(order.groups()) == []
        assert ready(order) == []


def test_thousands_of_rows_in_shuffled_groups():
    draw = random.Random(0)
    groups = [
        None if draw.random() < 0.1 else (str(draw.randrange(5)), draw.randrange(40)) for _ in range(5000)
    ]
    came_out = []
    with InputOrder() as order:
        order.add((f"row {number}", group) for number, group in enumerate(groups))
        for members in order.groups():
            assert len({groups[number] for number, _ in members}) == 1
            order.answer((number, number * 2) for number, _ in members)
            came_out += ready(order)
        came_out += ready(order)
    expected = [(f"row {n}", None if group is None else n * 2) for n, group in enumerate(groups)]
    assert came_out == expected


@pytest.mark.parametrize("query", [order_module._BY_GROUP, order_module._FROM_HERE_ON])
def test_rows_are_neither_searched_for_nor_sorted(query):
    """Else the work before the first group grows as the square of the rows, or keeps them in memory."""
    with InputOrder() as order:
        order.add((number, ("1", number % 7)) for number in range(100))
        values = (0, 10) if "?" in query else ()
        steps = [step for *_, step in order._database.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    assert steps
    assert not [step for step in steps if "TEMP B-TREE" in step or "AUTOMATIC" in step]
    for step in steps:
        assert "USING INDEX by_group" in step or "USING INTEGER PRIMARY KEY" in step


def test_any_object_is_an_answer():
    """Also one that is false; a row of no group needs none."""
    answers = [0, "", {}, None, (1.5, float("inf"))]
    with InputOrder() as order:
        order.add([*((number, ("1", number)) for number in range(5)), ("free", None)])
        for number in (4, 3, 1, 2):
            order.answer([(number, answers[number])])
            assert ready(order) == []
        order.answer([(0, answers[0])])
        assert ready(order) == [*enumerate(answers), ("free", None)]


def test_groups_are_told_apart_by_contig_and_start():
    rows: Rows = [(n, (contig, start)) for n, (contig, start) in enumerate([("1", 10), ("11", 0), ("1", 1)])]
    with InputOrder() as order:
        order.add(rows)
        assert list(order.groups()) == [[(0, 0)], [(1, 1)], [(2, 2)]]


def test_no_room_for_the_answers():
    with InputOrder() as order:
        order.add((number, ("1", number)) for number in range(1000))
        [[pages]] = order._database.execute("PRAGMA page_count")
        order._database.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(InputError, match=r"temporary database: .*full; .*TMPDIR"):
            order.answer((number, "x" * 1000) for number in range(1000))


def test_a_full_disk_is_the_users_to_know():
    with InputOrder() as order:
        order._database.execute("PRAGMA max_page_count = 20")
        with pytest.raises(InputError, match=r"temporary database: .*full; .*TMPDIR"):
            order.add(("x" * 1000, ("1", number)) for number in range(1000))


def test_a_disk_that_is_full_when_rows_come_out():
    """Tables that are gone stand for it: the error is of the same class, at the same places."""
    with InputOrder() as order:
        order.add([("a", ("1", 0)), ("b", None)])
        order._database.execute("DROP TABLE answers")
        with pytest.raises(InputError, match=r"temporary database: .*; .*TMPDIR"):
            ready(order)
        order._database.execute("DROP TABLE rows")
        with pytest.raises(InputError, match=r"temporary database: .*; .*TMPDIR"):
            list(order.groups())
