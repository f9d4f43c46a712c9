from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janusdna_cli.genome.windows import Window, centered_window, covering_windows, tiled_window, tiles


@pytest.mark.parametrize(
    ("center", "size", "length", "start", "end"),
    [
        # Even: the center is base W/2.
        (50, 10, 100, 45, 55),
        # Odd: as many bases on both sides.
        (50, 11, 100, 45, 56),
        (50, 1, 100, 50, 51),
        # Shifted inwards, never shortened.
        (0, 10, 100, 0, 10),
        (4, 10, 100, 0, 10),
        (5, 10, 100, 0, 10),
        (6, 10, 100, 1, 11),
        (94, 10, 100, 89, 99),
        (95, 10, 100, 90, 100),
        (96, 10, 100, 90, 100),
        (99, 10, 100, 90, 100),
        (99, 11, 100, 89, 100),
        # After the last base, as for an insertion at a contig's end.
        (100, 10, 100, 90, 100),
        # The whole contig where it is no longer than the window.
        (3, 10, 10, 0, 10),
        (3, 10, 9, 0, 9),
        (0, 10, 1, 0, 1),
    ],
)
def test_centered_windows(center: int, size: int, length: int, start: int, end: int) -> None:
    window = centered_window("chr1", center, size, length)
    assert window == Window("chr1", start, end)
    assert len(window) == min(size, length)


@pytest.mark.parametrize(
    ("start", "end", "size", "length", "expected"),
    [
        # A region that fits: floor((start + end) / 2) is the center.
        (40, 50, 10, 100, [((40, 50), 40, 50)]),
        (40, 47, 10, 100, [((38, 48), 40, 47)]),
        (40, 49, 11, 100, [((39, 50), 40, 49)]),
        (0, 2, 10, 100, [((0, 10), 0, 2)]),
        (98, 100, 10, 100, [((90, 100), 98, 100)]),
        (50, 50, 10, 100, [((45, 55), 50, 50)]),
        (0, 5, 10, 5, [((0, 5), 0, 5)]),
        # A longer one: half a window on, each read in its middle half.
        (40, 55, 8, 100, [((38, 46), 40, 44), ((42, 50), 44, 48), ((46, 54), 48, 52), ((50, 58), 52, 55)]),
        # A whole contig: its ends are read where it ends.
        (
            0,
            20,
            8,
            20,
            [((0, 8), 0, 5), ((2, 10), 5, 8), ((6, 14), 8, 12), ((10, 18), 12, 15), ((12, 20), 15, 20)],
        ),
    ],
)
def test_covering_windows(
    start: int, end: int, size: int, length: int, expected: list[tuple[tuple[int, int], int, int]]
) -> None:
    got = list(covering_windows("c", start, end, size, length))
    assert [((window.start, window.end), first, last) for window, first, last in got] == expected


@given(st.integers(1, 200), st.integers(2, 40), st.data())
def test_each_base_is_read_once_and_where_it_has_most_context(
    length: int, size: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, length))
    parts = list(covering_windows("c", start, end, size, length))
    assert (parts[0][1], parts[-1][2]) == (start, end)
    assert all(before[2] == after[1] for before, after in pairwise(parts))
    windows = [window for window, _, _ in parts]
    assert all(len(window) == min(size, length) for window in windows)
    assert all(window.start >= 0 and window.end <= length for window in windows)
    for window, first, last in parts:
        for base in range(first, last):
            assert depth(base, window) == max(depth(base, other) for other in windows)


@given(st.integers(100, 200), st.integers(4, 40), st.data())
def test_long_regions_have_a_quarter_window_around_each_base(
    length: int, size: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, length - size - 1))
    end = data.draw(st.integers(start + size + 1, length))
    for window, first, last in covering_windows("c", start, end, size, length):
        assert window.start == 0 or first - window.start >= size // 4
        assert window.end == length or window.end - last >= size // 4 - 1


def test_a_chromosome_is_covered_lazily() -> None:
    parts = covering_windows("c", 0, 10**15, 1024, 10**15)
    assert next(parts) == (Window("c", 0, 1024), 0, 640)


def test_a_region_outside_its_contig_is_refused() -> None:
    with pytest.raises(ValueError, match="chr1:5-11 reaches outside the contig's 10 bases"):
        next(covering_windows("chr1", 5, 11, 4, 10))


def depth(base: int, window: Window) -> int:
    return min(base - window.start, window.end - 1 - base)


@pytest.mark.parametrize(
    ("position", "size", "length", "start", "end"),
    [
        # The grid of 10 begins at 0, 5, 10, ...: window 10 to 20 is read at 12 to 16.
        (12, 10, 100, 10, 20),
        (16, 10, 100, 10, 20),
        (11, 10, 100, 5, 15),
        (17, 10, 100, 15, 25),
        # Shifted inwards at the contig's ends.
        (0, 10, 100, 0, 10),
        (1, 10, 100, 0, 10),
        (6, 10, 100, 0, 10),
        (7, 10, 100, 5, 15),
        (96, 10, 100, 90, 100),
        (97, 10, 100, 90, 100),
        (97, 10, 98, 88, 98),
        # After the last base, as for an insertion at a contig's end.
        (100, 10, 100, 90, 100),
        # Odd: steps of 5, read from 2 after the window's start on.
        (12, 11, 100, 10, 21),
        (11, 11, 100, 5, 16),
        # Steps of 1: a base is the first of its window.
        (40, 3, 100, 40, 43),
        (99, 3, 100, 97, 100),
        # The whole contig where it is no longer than the window.
        (7, 10, 10, 0, 10),
        (3, 10, 9, 0, 9),
    ],
)
def test_tiled_windows_written_out(position: int, size: int, length: int, start: int, end: int) -> None:
    assert tiled_window("chr1", position, size, length) == Window("chr1", start, end)


@given(st.integers(0, 400), st.integers(3, 90), st.integers(3, 400))
def test_tiled_windows_are_those_of_the_grid(position: int, size: int, length: int) -> None:
    position = min(position, length)
    window = tiled_window("chr1", position, size, length)
    assert len(window) == min(size, length)
    grid = range(-2 * size // (size // 2) * (size // 2), 2 * length + size, size // 2)
    [start] = [start for start in grid if start + size // 4 <= position < start + size // 4 + size // 2]
    assert window.start == max(0, min(start, length - size))
    assert window.start <= min(position, length - 1) < window.end
    if window.start > 0 and window.end < length:
        assert window.start % (size // 2) == 0
        assert position - window.start >= size // 4
        assert window.end - position >= size // 4


@pytest.mark.parametrize("size", [3, 8, 9, 64])
def test_neighbours_share_a_tile(size: int) -> None:
    windows = [tiled_window("chr1", position, size, 1000) for position in range(1000)]
    assert len(set(windows)) == 1 + -(-(1000 - size) // (size // 2))
    turns = [position for position, (a, b) in enumerate(pairwise(windows), 1) if a != b]
    assert all((turn - size // 4) % (size // 2) == 0 for turn in turns)


@given(st.integers(1, 200), st.integers(2, 40), st.data())
def test_tiles_read_each_base_in_its_window_of_the_grid(length: int, size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, length))
    found = list(tiles("chr1", start, end, size, length))
    read = [(position, window) for window, first, stop in found for position in range(first, stop)]
    assert read == [
        (position, tiled_window("chr1", position, size, length)) for position in range(start, end)
    ]
    windows = [window for window, _, _ in found]
    assert len(set(windows)) == len(windows)
