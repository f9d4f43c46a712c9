"""A dependency map as a square: the substituted bases from above down, what they change from left to right.

The sequence stands along both sides: as letters where these can be read in print, else as colours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from janusdna_cli.dependencies.dependency_map import DependencyMap
from janusdna_cli.outputs.logos import LETTERS, draw_letters
from janusdna_cli.outputs.pictures import (
    BASE_COLOURS,
    NARROW,
    NOTHING,
    PRINT_SIZE,
    WIDE,
    HeatColours,
    axes_at,
    draw_colour_bar,
    figure_for_print,
    heat_colours,
    printable,
    styled,
    write_picture,
)

__all__ = ["draw_dependencies"]

_LONGEST_NAMES = {NARROW: 16, WIDE: 60}
_BASES_OF_NARROW = 50

# In millimetres.
_LEFT, _RIGHT, _TOP, _BOTTOM = 20.0, 9.0, 14.5, 11.0
_STRIP, _GAP = 2.6, 0.5
_BAR = (30.0, 2.0)
_LEAST_LETTER = 0.95
_LEAST_BETWEEN_NUMBERS = 17.0

# Neighbours depend on each other so much that they would leave all others pale.
_STRONGEST = 0.99


def draw_dependencies(found: DependencyMap, path: str) -> None:
    """Draw a map; a picture that is there is replaced.

    Args:
        found: The map.
        path: Where to, PNG, SVG or PDF by its suffix.

    Raises:
        InputError: It cannot be written.
    """
    with styled():
        figure = _draw(found)
    write_picture(figure, path)


def _draw(found: DependencyMap) -> Figure:
    bases = len(found.ids)
    width = NARROW if bases <= _BASES_OF_NARROW else WIDE
    beside = _STRIP + _GAP
    side = width - _LEFT - beside - _RIGHT
    figure = figure_for_print(width, _TOP + beside + side + _BOTTOM)
    matrix = np.ma.masked_invalid(found.matrix)
    colours = heat_colours(found.matrix, is_signed=False, share=_STRONGEST)
    _draw_head(figure, found, colours, width)
    above = axes_at(figure, _LEFT + beside, _TOP, side, _STRIP)
    left = axes_at(figure, _LEFT, _TOP + beside, _STRIP, side)
    for axes, is_across in ((above, True), (left, False)):
        _draw_sequence(axes, found, side / bases, is_across=is_across)
    square = axes_at(figure, _LEFT + beside, _TOP + beside, side, side)
    square.imshow(matrix, cmap=colours.map, norm=colours.norm, interpolation="nearest", aspect="auto")
    _number(square, left, found, int(side // _LEAST_BETWEEN_NUMBERS))
    return figure


def _draw_head(figure: Figure, found: DependencyMap, colours: HeatColours, width: float) -> None:
    """The region's name, what the colours are, and the bases' own colours."""
    contig, positions = printable(found.chrom, _LONGEST_NAMES[width]), found.region[len(found.chrom) :]
    head = axes_at(figure, 4, 1, width - 8, 5)
    head.axis("off")
    head.set_xlim(0, width - 8)
    bold: dict[str, Any] = {"size": PRINT_SIZE + 1, "weight": "bold", "parse_math": False, "va": "center"}
    head.text(0, 0.5, contig + positions, **bold)
    draw_colour_bar(axes_at(figure, 4, 7, *_BAR), colours, "dependency (bits)\ngrey: i = j, or no base i")
    for code, letter in enumerate(LETTERS):
        key = axes_at(figure, width - 18 + 3.5 * code, 7, 3, 3)
        key.axis("off")
        key.text(0.5, 0.5, letter, color=BASE_COLOURS[code], ha="center", **bold)


def _draw_sequence(axes: Axes, found: DependencyMap, cell: float, *, is_across: bool) -> None:
    """The bases beside cells of so many millimetres."""
    codes, bases = found.codes, len(found.ids)
    axes.set_xticks(())
    axes.set_yticks(())
    if cell < _LEAST_LETTER:
        strip = np.ma.masked_less(codes[None] if is_across else codes[:, None], 0)
        colours = ListedColormap(BASE_COLOURS).with_extremes(bad=NOTHING)
        axes.imshow(strip, cmap=colours, vmin=0, vmax=3, interpolation="nearest", aspect="auto")
        return
    # As wide as high, and no larger than the cell.
    letter = min(0.92 * cell, 0.8 * _STRIP)
    if is_across:
        draw_letters(axes, codes, np.full(bases, 0.1), letter / _STRIP, width=letter / cell)
        axes.set(xlim=(-0.5, bases - 0.5), ylim=(0, 1))
        return
    # The first base is the highest, on an axis that points up: letters stand on their feet.
    for at, code in enumerate(codes):
        foot = np.array([bases - 1 - at - letter / cell / 2])
        draw_letters(axes, np.array([code]), foot, letter / cell, width=letter / _STRIP)
    axes.set(xlim=(-0.5, 0.5), ylim=(-0.5, bases - 0.5))


def _number(square: Axes, left: Axes, found: DependencyMap, most: int) -> None:
    """Round positions below the square and left of the sequence."""
    bases = len(found.ids)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if bases / step <= max(most, 2))
    at = np.flatnonzero(found.positions % step == 0)
    labels = [f"{position:,}" for position in found.positions[at]]
    square.set_xticks(at, labels)
    square.set_yticks(at, labels)
    square.tick_params("y", pad=1.5 + (_STRIP + _GAP) * 72 / 25.4)
    square.set_xlabel("base j, whose prediction changes", size=PRINT_SIZE, labelpad=2)
    square.set_ylabel("base i, substituted", size=PRINT_SIZE, labelpad=2)
