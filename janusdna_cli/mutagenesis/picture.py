"""A region's map: every substitution's score, above it a logo of what the model expects, and the reference.

Lines of up to 100 bases, one below the other, so that each letter can be read in print; a page holds about a
thousand bases, a longer map is for the screen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from janusdna import tokens
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.logos import LETTERS, draw_letters, draw_logo, information
from janusdna_cli.outputs.pictures import (
    NARROW,
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
from janusdna_cli.variants.scores import SCORES, UNITS

__all__ = ["LONGEST_MAP", "check_length", "draw_map"]

Floats = npt.NDArray[np.floating]

# Bases that a picture can show.
LONGEST_MAP = 3_000
_BASES_A_LINE, _BASES_OF_NARROW, _FEWEST = 100, 40, 12
_LONGEST_NAME, _TICK_BASES = 16, 20

# In millimetres.
_LEFT, _RIGHT, _TOP, _BOTTOM = 11.0, 8.5, 16.0, 1.0
_LOGO, _GAP, _REFERENCE, _ROW, _BELOW = 10.0, 1.3, 2.8, 2.6, 8.0
_BAR = (30.0, 2.0)

_SIGNED = [column.name for score in SCORES.values() if score.is_signed for column in score.columns]
# One outlier would leave all others pale.
_STRONGEST = 0.995


def check_length(name: str, bases: int) -> None:
    """Refuses a region that no picture can show.

    Raises:
        InputError: It is empty, or has more than `LONGEST_MAP` bases.
    """
    if not 1 <= bases <= LONGEST_MAP:
        raise InputError(
            f"region {name}: found {bases:,} bases, a picture shows 1 to {LONGEST_MAP:,}: "
            "leave out --plot, or plot a part of it"
        )


def draw_map(
    path: str,
    *,
    contig: str,
    start: int,
    ids: npt.NDArray[np.uint8],
    logp: Floats,
    scores: Floats,
    deletions: Floats | None,
    score_name: str,
) -> None:
    """Draw the map of a region; a picture that is there is replaced.

    Args:
        path: Where to, PNG, SVG or PDF by its suffix.
        contig: The region's contig.
        start: First base of the region, 0-based.
        ids: Token ids of the reference's bases, (n,).
        logp: The model's natural log p over A, C, G, T at each base, (n, 4).
        scores: Of the substitution by A, C, G, T, (n, 4); NaN at the reference's own base and where there is
            none.
        deletions: Of each base's deletion, (n,); None where they were not asked for.
        score_name: Which score it is.

    Raises:
        InputError: The region is longer than a picture can show, or it cannot be written.
    """
    region = _Region(contig, start, ids, information(logp), _rows(scores, deletions), score_name)
    check_length(region.name, len(ids))
    with styled():
        figure = _draw(region)
    write_picture(figure, path)


@dataclass(frozen=True)
class _Region:
    """What is drawn: heights (n, 4) in bits, values (4 or 5, n) by row of the map."""

    contig: str
    start: int
    ids: npt.NDArray[np.uint8]
    heights: Floats
    values: Floats
    score_name: str

    @property
    def name(self) -> str:
        return f"{self.contig}:{self._positions}"

    @property
    def title(self) -> str:
        """The name, where the contig's is long a part of it."""
        return f"{printable(self.contig, _LONGEST_NAME)}:{self._positions}"

    @property
    def _positions(self) -> str:
        return f"{self.start + 1:,}-{self.start + len(self.ids):,}"

    @property
    def codes(self) -> npt.NDArray[np.int64]:
        """0 to 3 for A, C, G, T; -1 for what is none of them."""
        return np.where(tokens.is_base(self.ids), self.ids.astype(np.int64) - tokens.A, -1)


def _rows(scores: Floats, deletions: Floats | None) -> Floats:
    return scores.T if deletions is None else np.concatenate([scores.T, deletions[None]])


def _draw(region: _Region) -> Figure:
    bases = len(region.ids)
    width = NARROW if bases <= _BASES_OF_NARROW else WIDE
    base = (width - _LEFT - _RIGHT) / min(max(bases, _FEWEST), _BASES_A_LINE)
    heat = len(region.values) * _ROW
    above = _LOGO + _GAP + _REFERENCE
    line = above + heat + _BELOW
    lines = -(-bases // _BASES_A_LINE)
    figure = figure_for_print(width, _TOP + lines * line + _BOTTOM)
    colours = heat_colours(region.values, is_signed=region.score_name in _SIGNED, share=_STRONGEST)
    _draw_head(figure, region, colours)
    for at in range(lines):
        part = slice(at * _BASES_A_LINE, min((at + 1) * _BASES_A_LINE, bases))
        top, across = _TOP + at * line, (part.stop - part.start) * base
        _draw_expected(axes_at(figure, _LEFT, top, across, _LOGO), region, part)
        _draw_reference(axes_at(figure, _LEFT, top + _LOGO + _GAP, across, _REFERENCE), region, part)
        _draw_heat(axes_at(figure, _LEFT, top + above, across, heat), region, part, colours)
    return figure


def _draw_head(figure: Figure, region: _Region, colours: HeatColours) -> None:
    """The region's name, and what the colours are."""
    head = axes_at(figure, _LEFT, 1, 1, 5)
    head.axis("off")
    head.text(0, 0.5, region.title, va="center", size=PRINT_SIZE + 1, weight="bold", parse_math=False)
    unit = UNITS.get(region.score_name)
    label = f"{region.score_name} ({unit})" if unit else region.score_name
    draw_colour_bar(axes_at(figure, _LEFT, 7, *_BAR), colours, f"{label}; grey: ref")


def _draw_expected(axes: Axes, region: _Region, part: slice) -> None:
    """The logo."""
    draw_logo(axes, region.heights[part], part.start)
    _across(axes, part)
    axes.set_ylim(0, 2)
    axes.set_yticks((0, 1, 2))
    axes.set_ylabel("bits", size=PRINT_SIZE, labelpad=2)
    axes.spines["left"].set_visible(True)
    axes.spines["left"].set_linewidth(0.4)


def _draw_reference(axes: Axes, region: _Region, part: slice) -> None:
    codes = region.codes[part]
    draw_letters(axes, codes, np.full(len(codes), 0.15), 0.7, part.start)
    _across(axes, part)
    axes.set_ylim(0, 1)
    axes.set_yticks((0.5,), ("ref",))
    axes.tick_params(left=False)


def _draw_heat(axes: Axes, region: _Region, part: slice, colours: HeatColours) -> None:
    values = np.ma.masked_invalid(region.values[:, part])
    rows = len(values)
    ends = (part.start - 0.5, part.stop - 0.5, rows - 0.5, -0.5)
    axes.imshow(
        values, cmap=colours.map, norm=colours.norm, aspect="auto", interpolation="nearest", extent=ends
    )
    axes.set_yticks(range(rows), [*LETTERS, "del"][:rows])
    axes.tick_params(left=False)
    axes.set_xticks(_ticks(region, part))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{region.start + round(at) + 1:,}"))


def _across(axes: Axes, part: slice) -> None:
    axes.set_xlim(part.start - 0.5, part.stop - 0.5)
    axes.set_xticks(())


def _ticks(region: _Region, part: slice) -> list[int]:
    """Places of round positions, whose numbers do not touch; of a short line the first base."""
    step = _TICK_BASES if len(region.ids) > _BASES_OF_NARROW else 10
    round_ones = [at for at in range(part.start, part.stop) if (region.start + at + 1) % step == 0]
    return round_ones or [part.start]
