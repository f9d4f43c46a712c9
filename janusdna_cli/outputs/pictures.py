"""How all pictures look, and how they are written: the same figure gives the same bytes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import matplotlib
from matplotlib.figure import Figure

__all__ = ["COLOURS", "GREY", "save_picture", "styled"]

# Okabe and Ito's colours, which the colour-blind tell apart; then the same, dashed.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
GREY = "#666666"
_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 11,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "lines.solid_joinstyle": "round",
    "savefig.dpi": 150,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "janusdna",
    "xtick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.color": GREY,
    "ytick.labelcolor": "black",
}


def save_picture(figure: Figure, file: BinaryIO, form: str) -> None:
    """Writes a figure as "png" or "svg", without the date."""
    with styled(), warnings.catch_warnings():
        # A run's name may be in any script.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        _settle(figure)
        figure.savefig(file, format=form, metadata={"Date": None} if form == "svg" else None)


def _settle(figure: Figure) -> None:
    """Lay a figure out once, in places of few digits: the solver's last ones are not always the same."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(part, 5) for part in axes.get_position().bounds)
        axes.set_position((left, bottom, width, height))


@contextmanager
def styled() -> Iterator[None]:
    """The looks of all pictures, whatever the user's own settings of matplotlib are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield
