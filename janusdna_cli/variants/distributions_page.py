"""A page with the distributions of scores: a panel each, percentiles, and the counts by status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from janusdna_cli.outputs.pictures import COLOURS, GREY, MM, PRINT_DPI, PRINT_SIZE, WIDE, printable, styled
from janusdna_cli.variants.distributions import KINDS, Distributions, Histogram, Percentiles
from janusdna_cli.variants.scores import UNITS

__all__ = ["draw_distributions"]

_COLOURS = dict(zip(KINDS, COLOURS, strict=False))
_LONGEST_NAME, _MOST_STATUSES = 80, 12
_ROW, _HEAD = 48.0, 12.0  # millimetres
_BINS = 40
# Of the values of each kind, the share on either side that a panel leaves out.
_OUTSIDE = 0.001
_SMALL: dict[str, Any] = {"size": PRINT_SIZE}


def draw_distributions(found: Distributions, name: str) -> Figure:
    """A page of all that was counted.

    Args:
        found: What was counted.
        name: The table's.
    """
    panels: list[Callable[[Axes], None]] = [
        *(
            lambda axes, column=column: _draw_score(axes, column, found.scores[column])
            for column in found.scores
        ),
        *(
            lambda axes, column=column: _draw_percentiles(axes, column, found.percentiles[column])
            for column in found.percentiles
        ),
        lambda axes: _draw_statuses(axes, found),
    ]
    with styled():
        rows = -(-len(panels) // 2)
        height = rows * _ROW + _HEAD
        figure = Figure(figsize=(WIDE * MM, height * MM), dpi=PRINT_DPI)
        figure.set_layout_engine("constrained", rect=(0.005, 0.005, 0.985, 1 - _HEAD / height - 0.005))
        _draw_head(figure, found, name, height)
        grid = figure.subplots(rows, 2, squeeze=False).ravel()
        for axes, draw in zip(grid, panels, strict=False):
            axes.tick_params(labelsize=PRINT_SIZE, length=2, width=0.5)
            draw(axes)
        for axes in grid[len(panels) :]:
            axes.axis("off")
        return figure


def _draw_head(figure: Figure, found: Distributions, name: str, height: float) -> None:
    """The table's name, and a line for each kind."""
    said = f"{printable(name, _LONGEST_NAME)}: {found.rows:,} alleles"
    figure.text(0.01, 1 - 3 / height, said, weight="bold", size=PRINT_SIZE + 1, va="center", parse_math=False)
    x, y = 0.01, 1 - 8 / height
    for kind in filter(found.kinds.__getitem__, KINDS):
        figure.add_artist(Line2D([x, x + 0.025], [y, y], color=_COLOURS[kind], linewidth=1.4))
        label = f"{kind} ({found.kinds[kind]:,})"
        figure.text(x + 0.031, y, label, va="center", **_SMALL)
        x += 0.055 + 0.0082 * len(label)


def _draw_score(axes: Axes, name: str, by_kind: dict[str, Histogram]) -> None:
    reach = max(histogram.reach for histogram in by_kind.values())
    for histogram in by_kind.values():
        histogram.to(reach)
    edges = next(iter(by_kind.values())).edges
    low, high = _shown([histogram.counts for histogram in by_kind.values()])
    width = -(-(high - low) // _BINS)
    high = low + -(-(high - low) // width) * width
    for kind, histogram in by_kind.items():
        counts = np.pad(histogram.counts, (0, width))[low:high].reshape(-1, width).sum(axis=1)
        ends = edges[0] + (edges[1] - edges[0]) * np.arange(low, high + 1, width)
        shares = counts / histogram.counts.sum()
        axes.stairs(shares, ends, color=_COLOURS[kind], linewidth=1.0)
    unit = UNITS.get(name)
    axes.set_title(name, fontsize=PRINT_SIZE + 0.5)
    axes.set_xlabel(f"{name} ({unit})" if unit else name, **_SMALL)
    axes.set_ylabel("share of alleles", **_SMALL)
    axes.set_ylim(0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _shown(counts: list[npt.NDArray[np.int64]]) -> tuple[int, int]:
    """The bins, half-open, that hold all but the outermost values of each kind."""
    lows, highs = [], []
    for each in counts:
        share = np.cumsum(each) / each.sum()
        lows.append(int(np.searchsorted(share, _OUTSIDE, side="right")))
        highs.append(int(np.searchsorted(share, 1 - _OUTSIDE)) + 1)
    return min(lows), max(highs)


def _draw_percentiles(axes: Axes, name: str, by_kind: dict[str, Percentiles]) -> None:
    """How many alleles there are up to each percentile; random ones lie on the diagonal."""
    edges = Percentiles.edges
    lowest = 1.0
    for kind, found in by_kind.items():
        shares = np.cumsum(found.counts) / found.counts.sum()
        axes.plot(edges, np.where(shares > 0, shares, np.nan), color=_COLOURS[kind], linewidth=1.0)
        lowest = min(lowest, float(shares[shares > 0][0]))
    axes.plot((edges[0], 1), (edges[0], 1), color=GREY, linewidth=0.7, linestyle=(0, (5, 3)))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(max(edges[0], lowest / 10), 1)
    axes.set_ylim(max(edges[0], lowest / 10), 1.3)
    axes.set_title(f"{name} (dashed: random alleles)", fontsize=PRINT_SIZE + 0.5)
    axes.set_xlabel(name, **_SMALL)
    axes.set_ylabel("share of alleles up to it", **_SMALL)
    axes.minorticks_off()


def _draw_statuses(axes: Axes, found: Distributions) -> None:
    counted = found.statuses.most_common(_MOST_STATUSES)
    names = [printable(status, 20) for status, _ in counted]
    counts = [count for _, count in counted]
    axes.barh(range(len(counts)), counts, color=[COLOURS[0] if name == "ok" else GREY for name in names])
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 4) - 0.5, -0.5)
    for at, count in enumerate(counts):
        axes.annotate(f"{count:,}", (count, at), (2, 0), textcoords="offset points", va="center", **_SMALL)
    axes.set_xlim(0, 1.35 * max(counts))
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", visible=False)
    axes.set_title("status", fontsize=PRINT_SIZE + 0.5)
    axes.set_xlabel("alleles", **_SMALL)
