"""Sequence logos: stacks of letters whose heights are numbers.

Each letter is one path for all of its places, so that a logo of thousands of bases is four shapes.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from janusdna_cli.outputs.pictures import BASE_COLOURS

__all__ = ["LETTERS", "draw_letters", "draw_logo", "information"]

Floats = npt.NDArray[np.floating]

LETTERS = "ACGT"
_WIDTH = 0.92  # of a letter's place
_LEAST = 1e-4  # lower letters would be nothing but ink


def information(logp: Floats) -> npt.NDArray[np.float64]:
    """Heights of the letters of a logo, in bits: p * (2 - entropy).

    Args:
        logp: Natural log p over A, C, G, T, (n, 4).

    Returns:
        (n, 4); those of a base sum up to what is known of it, 0 to 2 bits.
    """
    p = np.exp(logp, dtype=np.float64)
    entropy = -(p * logp).sum(axis=1, keepdims=True) / np.log(2)
    heights: npt.NDArray[np.float64] = p * np.maximum(2 - entropy, 0)
    return heights


def draw_logo(axes: Axes, heights: Floats, first: float = 0) -> None:
    """Draw letters one on the other, the highest on top.

    Args:
        axes: Where; its limits are left as they are.
        heights: Of A, C, G, T at each base, (n, 4), 0 and more.
        first: Middle of the first base.
    """
    order = np.argsort(heights, axis=1, kind="stable")
    stacked = np.cumsum(np.take_along_axis(heights, order, axis=1), axis=1)
    tops = np.empty_like(stacked)
    np.put_along_axis(tops, order, stacked, axis=1)
    for code in range(len(LETTERS)):
        there = np.flatnonzero(heights[:, code] > _LEAST)
        high = heights[there, code]
        _draw(axes, code, first + there, tops[there, code] - high, high)


def draw_letters(
    axes: Axes,
    codes: npt.NDArray[np.integer],
    bottoms: Floats,
    height: float,
    first: float = 0,
    *,
    width: float = _WIDTH,
) -> None:
    """Draw a letter of one height for each base.

    Args:
        axes: Where.
        codes: 0 to 3 for A, C, G, T, (n,); any other number leaves the place empty.
        bottoms: Where each stands, (n,).
        height: Of all.
        first: Middle of the first base.
        width: Of all.
    """
    for code in range(len(LETTERS)):
        there = np.flatnonzero(codes == code)
        _draw(axes, code, first + there, bottoms[there], np.full(len(there), height), width)


def _draw(
    axes: Axes, code: int, middles: Floats, bottoms: Floats, heights: Floats, width: float = _WIDTH
) -> None:
    if not len(middles):
        return
    letter = _unit_letter(LETTERS[code])
    size = np.stack([np.full(len(middles), width), heights], axis=1)
    corner = np.stack([middles - width / 2, bottoms], axis=1)
    vertices = letter.vertices * size[:, None] + corner[:, None]
    codes = np.tile(np.asarray(letter.codes), len(middles))
    path = Path(vertices.reshape(-1, 2), codes)
    # As an artist: a patch would have its limits looked for, which takes longer than to draw it.
    axes.add_artist(PathPatch(path, facecolor=BASE_COLOURS[code], linewidth=0))


@cache
def _unit_letter(letter: str) -> Path:
    """A letter that fills the square from (0, 0) to (1, 1), of the font that comes with matplotlib."""
    path = TextPath((0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    low, high = path.get_extents().get_points()
    return Path((path.vertices - low) / (high - low), path.codes)
