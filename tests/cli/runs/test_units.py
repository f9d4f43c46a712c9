"""Who takes which units of the work: all of them, none twice, as much each as can be."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janusdna_cli.reading.chunks import Chunk, Load
from janusdna_cli.runs import units as units_module
from janusdna_cli.runs.units import Survey

COSTS = st.lists(
    st.one_of(st.just(0.0), st.floats(0, 10), st.floats(0, 1e12), st.integers(0, 5).map(float)), max_size=40
)


def of_costs(costs):
    return Survey([1] * len(costs), list(costs))


def check_shared(costs, count, done=()):
    survey = of_costs(costs)
    left = [unit for unit in range(len(costs)) if unit not in done]
    shares = [survey.share(left, index, count) for index in range(count)]
    assert [unit for share in shares for unit in sorted(share)] == left  # all, none twice, neighbours
    fair = sum(costs[unit] for unit in left) / count
    largest = max((costs[unit] for unit in left), default=0)
    for share in shares:
        assert sum(costs[unit] for unit in share) <= (fair + largest) * (1 + 1e-6)


@given(COSTS, st.integers(1, 12))
def test_all_units_are_shared_out_evenly(costs, count):
    check_shared(costs, count)


@given(COSTS, st.integers(1, 12), st.sets(st.integers(0, 39)))
def test_what_is_left_is_shared_out_evenly(costs, count, done):
    check_shared(costs, count, done)


@pytest.mark.parametrize(
    "costs",
    [
        [],
        [0.0],
        [0.0] * 100,
        [1e15, *[0.0] * 100],
        [*[0.0] * 100, 1e15],
        [*[1.0] * 50, 1e9, *[1.0] * 50],
        [1e-300] * 7,
    ],
)
def test_odd_costs(costs):
    for count in (1, 2, 3, 7, 200):
        check_shared(costs, count)


def test_what_costs_nothing_is_shared_out_as_well():
    """A million rows with a status each are work, too."""
    survey = of_costs([0.0] * 100)
    shares = [survey.share(survey.units, index, 4) for index in range(4)]
    assert [len(share) for share in shares] == [25] * 4


def test_a_unit_of_many_does_not_get_lost_to_rounding():
    """Costs whose sums are rounded; the last must be somebody's."""
    draw = random.Random(0)
    costs = [draw.random() * 10 ** draw.randrange(-8, 9) for _ in range(200_000)]
    costs += [0.0] * 5
    for count in (3, 1000):
        last = units_module._stretch(costs, count - 1, count)
        assert last.stop == len(costs)
        assert units_module._stretch(costs, 0, count).start == 0


def test_equal_costs_are_equal_shares():
    survey = of_costs([2.5] * 90)
    assert [sorted(survey.share(survey.units, index, 3)) for index in range(3)] == [
        [*range(30)],
        [*range(30, 60)],
        [*range(60, 90)],
    ]


def test_costs_count_and_not_rows():
    """Ten units of insertions cost as much as ninety of substitutions."""
    survey = Survey([1000] * 100, [9.0] * 10 + [1.0] * 90)
    assert survey.share(survey.units, 0, 2) == set(range(10))


def test_a_survey_adds_up_the_chunks_of_a_unit():
    def chunk(unit, is_last, rows, bases):
        return Chunk(unit, is_last, 0, Load(rows, bases, 0), [])

    survey = Survey.of(
        [chunk(0, True, 2, 10), chunk(1, False, 0, 5), chunk(1, True, 3, 6.5), chunk(2, True, 1, 0)]
    )
    assert (survey.rows, survey.costs) == ([2, 3, 1], [10, 11.5, 0])
    assert survey.rows_of({0, 2}) == 3
    assert survey.rows_of(()) == 0
