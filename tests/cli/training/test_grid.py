"""How often windows are met, against counting base by base."""

import random
from collections import Counter

import pytest

from janusdna_cli.genome.splits import Interval
from janusdna_cli.genome.windows import Window
from janusdna_cli.training.grid import Grid


def passes(grid: Grid, count: int, phases: int = 97) -> Counter[Window]:
    """How often each window is met in so many passes, whose phases are spread evenly."""
    met: Counter[Window] = Counter()
    for number in range(count):
        phase = number * 31 % phases / phases
        met.update(grid.met(step, phase, 0) for step in range(grid.steps))
    return met


def test_what_is_wanted_alike_is_met_once_whatever_the_phase() -> None:
    grid = Grid([Interval("a", 3, 45), Interval("b", 0, 9), Interval("b", 20, 30)], 10)
    assert (grid.windows, grid.steps) == (5, 5)
    wanted = [Window("a", at, at + 10) for at in (3, 13, 23, 33)] + [Window("b", 20, 30)]
    assert [grid.window(place) for place in range(5)] == wanted
    for phase in (0.0, 0.3, 65_535 / 65_536):
        assert [grid.met(step, phase, 0) for step in range(5)] == wanted


def test_a_window_counts_as_its_bases_do_on_average() -> None:
    rng = random.Random(7)
    intervals, weights, at = [], {}, 100
    for _ in range(40):
        length, weight = rng.randint(1, 60), rng.choice([0.0, 0.25, 1.0, 3.5])
        intervals.append(Interval("a", at, at + length, weight))
        weights |= dict.fromkeys(range(at, at + length), weight)
        at += length
    grid = Grid(intervals, 16)
    assert grid.windows == (at - 100) // 16
    mean = {}
    for place in range(grid.windows):
        window = grid.window(place)
        mean[window] = sum(weights[base] for base in range(window.start, window.end)) / 16
    met = passes(grid, 970)
    total = sum(mean.values())
    assert grid.steps == int(total)
    for window, weight in mean.items():
        # The line is as long as all windows count, and a pass meets its whole steps.
        assert met[window] / 970 == pytest.approx(weight * grid.steps / total, abs=0.02)


def test_each_pass_meets_a_window_as_often_as_whole_numbers_allow() -> None:
    grid = Grid([Interval("a", 0, 10, 2.5), Interval("a", 10, 30, 0.25), Interval("b", 0, 10, 1.0)], 10)
    assert grid.steps == 4
    for number in range(50):
        met = Counter(grid.met(step, number / 50, 0) for step in range(4))
        assert met[Window("a", 0, 10)] in (2, 3)
        assert met[Window("a", 10, 20)] + met[Window("a", 20, 30)] in (0, 1)
        assert met[Window("b", 0, 10)] == 1


def test_what_is_not_wanted_is_never_met_and_still_a_window() -> None:
    grid = Grid([Interval("a", 0, 40, 0.0), Interval("b", 0, 20, 1.0), Interval("c", 0, 10, 0.0)], 10)
    assert (grid.windows, grid.steps) == (7, 2)
    assert set(passes(grid, 97)) == {Window("b", 0, 10), Window("b", 10, 20)}
    assert grid.window(6) == Window("c", 0, 10)


def test_nothing_is_wanted() -> None:
    assert (Grid([], 10).windows, Grid([], 10).steps) == (0, 0)
    assert Grid([Interval("a", 0, 10, 0.0)], 10).steps == 0


def test_a_single_window_that_is_hardly_wanted() -> None:
    grid = Grid([Interval("a", 0, 10, 0.01)], 10)
    assert grid.steps == 1
    assert grid.met(0, 0.99, 5) == Window("a", 0, 10)


def test_a_shift_goes_on_into_the_interval_beside() -> None:
    grid = Grid([Interval("a", 0, 10, 1.0), Interval("a", 10, 15, 3.0)], 10)
    assert grid.windows == 1
    assert [grid.met(0, 0.0, shift).start for shift in range(10)] == [0, 1, 2, 3, 4, 5, 5, 5, 5, 5]


def test_equal_weights_make_one_stretch() -> None:
    thirds = [Interval("a", at, at + 7, 1 / 3) for at in range(0, 70_000, 7)]
    grid = Grid(thirds, 100)
    assert len(grid._stretches) == 1
    assert grid.steps == 233
