"""Which stretch of a contig is read around a position or over a region."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "CONTEXTS",
    "WINDOWS_OVER",
    "Context",
    "Window",
    "centered_window",
    "centered_windows",
    "covering_windows",
    "tiled_window",
    "tiles",
]


@dataclass(frozen=True, slots=True)
class Window:
    """The bases [start, end) of a contig, 0-based half-open."""

    contig: str
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


def centered_window(contig: str, center: int, size: int, contig_length: int) -> Window:
    """The window around a base, shifted inwards at the contig's ends; the whole contig where it is shorter.

    Args:
        contig: The contig's name.
        center: 0-based; away from the contig's ends it is base `size // 2` of the window.
        size: Bases.
        contig_length: Bases.
    """
    return _window_at(contig, center - size // 2, size, contig_length)


def tiled_window(contig: str, position: int, size: int, contig_length: int) -> Window:
    """The window of a fixed grid in whose middle half a base lies.

    The grid's windows begin at the multiples of `size // 2`, shifted inwards at the contig's ends, so that a
    base has at least `size // 4` bases on each side where the contig has them. The grid depends on the contig
    alone.

    Args:
        contig: The contig's name.
        position: 0-based.
        size: Bases, at least 2.
        contig_length: Bases.
    """
    step = size // 2
    return _window_at(contig, (position - size // 4) // step * step, size, contig_length)


def tiles(
    contig: str, start: int, end: int, size: int, contig_length: int
) -> Iterator[tuple[Window, int, int]]:
    """The windows of the fixed grid that read a region, each with the part whose bases are read in it.

    Which window reads a base depends on the contig alone: it is its `tiled_window`.

    Args:
        contig: The contig's name.
        start: First base of the region, 0-based.
        end: After the region's last base.
        size: Bases of a window, at least 2.
        contig_length: Bases.

    Yields:
        A window and the part [sub_start, sub_end) of the region to read in it; the parts follow one another.
    """
    step, margin = size // 2, size // 4
    while start < end:
        window = tiled_window(contig, start, size, contig_length)
        stop = start
        # At a contig's ends several places of the grid are one window.
        while stop < end and tiled_window(contig, stop, size, contig_length) == window:
            stop = ((stop - margin) // step + 1) * step + margin
        stop = min(stop, end)
        yield window, start, stop
        start = stop


def centered_windows(
    contig: str, start: int, end: int, size: int, contig_length: int
) -> Iterator[tuple[Window, int, int]]:
    """The windows around each base of a region; at a contig's ends several bases share one.

    Args and yields are those of `tiles`.
    """
    while start < end:
        window = centered_window(contig, start, size, contig_length)
        stop = start + 1
        while stop < end and centered_window(contig, stop, size, contig_length) == window:
            stop += 1
        yield window, start, stop
        start = stop


def covering_windows(
    contig: str, start: int, end: int, size: int, contig_length: int
) -> Iterator[tuple[Window, int, int]]:
    """Windows that read every base of a region where it has most context.

    A region that fits into a window gets one, centered on floor((start + end) / 2). A longer one gets windows
    that overlap by half (by more at the contig's ends).

    Args:
        contig: The contig's name.
        start: First base of the region, 0-based.
        end: After the region's last base.
        size: Bases of a window, at least 2.
        contig_length: Bases.

    Yields:
        A window and the part [sub_start, sub_end) of the region to read in it; the parts follow one another.

    Raises:
        ValueError: The region reaches outside the contig.
    """
    if not 0 <= start <= end <= contig_length:
        raise ValueError(f"{contig}:{start}-{end} reaches outside the contig's {contig_length} bases")
    if end - start <= size:
        yield centered_window(contig, (start + end) // 2, size, contig_length), start, end
        return
    at = start - size // 4
    window = _window_at(contig, at, size, contig_length)
    while start < end:
        at += size // 2
        following = _window_at(contig, at, size, contig_length)
        # From here on a base lies deeper in the following window than in this one.
        turn = min(end, (window.start + following.end) // 2) if following != window else end
        yield window, start, turn
        window, start = following, turn


def _window_at(contig: str, start: int, size: int, contig_length: int) -> Window:
    start = max(0, min(start, contig_length - size))
    return Window(contig, start, min(start + size, contig_length))


# Where a variant sits in its window.
Context = Literal["centered", "tiled"]
CONTEXTS: Mapping[Context, Callable[[str, int, int, int], Window]] = {
    "centered": centered_window,
    "tiled": tiled_window,
}
# The windows over a region in which each base is read as a variant there is, each with its part.
WINDOWS_OVER: Mapping[Context, Callable[[str, int, int, int, int], Iterator[tuple[Window, int, int]]]] = {
    "centered": centered_windows,
    "tiled": tiles,
}
