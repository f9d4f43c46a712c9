"""How all pictures look, and how they are written: the same figure gives the same bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from janusdna_cli.outputs.destinations import STDOUT, StandardOutput, reported, written_aside
from janusdna_cli.outputs.picture_formats import PictureFormat, picture_format

__all__ = [
    "BASE_COLOURS",
    "COLOURS",
    "GREY",
    "MM",
    "NARROW",
    "NOTHING",
    "PRINT_DPI",
    "PRINT_SIZE",
    "WIDE",
    "HeatColours",
    "axes_at",
    "draw_colour_bar",
    "figure_for_print",
    "heat_colours",
    "printable",
    "save_picture",
    "styled",
    "write_picture",
]

# Okabe and Ito's colours, which the colour-blind tell apart; then the same, dashed.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
GREY = "#666666"
# Of A, C, G and T, of the same colours.
BASE_COLOURS = ("#009e73", "#0072b2", "#e69f00", "#d55e00")

# For print: inches in a millimetre, a journal's one and two columns in millimetres, points of the letters.
MM = 1 / 25.4
NARROW, WIDE = 85.0, 175.0
PRINT_SIZE = 7.0
PRINT_DPI = 300
# Of a heat map's cell that has no value.
NOTHING = "#d9d9d9"
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
    "figure.dpi": 150,
    "pdf.fonttype": 42,
    "savefig.dpi": "figure",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "janusdna",
    "xtick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.color": GREY,
    "ytick.labelcolor": "black",
}


# What a format would say of when it was written.
_DATES: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def write_picture(figure: Figure, destination: str, form: PictureFormat | None = None) -> None:
    """Writes a figure, once; a picture that is there is replaced.

    Args:
        figure: What `styled` was on for.
        destination: A path, or `-` for standard output.
        form: The format; None tells it from the destination.

    Raises:
        InputError: It cannot be written.
    """
    form = form or picture_format(destination)
    picture = io.BytesIO()
    save_picture(figure, picture, form)
    if destination == STDOUT:
        with reported(destination):
            StandardOutput().write(picture.getvalue())
        return
    with written_aside(destination, overwrite=True) as path, reported(destination):
        path.write_bytes(picture.getvalue())


def save_picture(figure: Figure, file: BinaryIO, form: PictureFormat) -> None:
    """Writes a figure, without the date."""
    with styled(), warnings.catch_warnings():
        # A run's name may be in any script.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        _settle(figure)
        figure.savefig(file, format=form, metadata=_DATES.get(form))


def printable(text: str, longest: int) -> str:
    """A text that any font and any XML can take, of bounded length."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def figure_for_print(width: float, height: float) -> Figure:
    """An empty figure of so many millimetres."""
    return Figure(figsize=(width * MM, height * MM), dpi=PRINT_DPI)


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in millimetres from the figure's upper left corner, without grid and spines."""
    across, down = (size / MM for size in figure.get_size_inches())
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(labelsize=PRINT_SIZE, length=1.5, width=0.4, pad=1.5)
    return axes


class HeatColours(NamedTuple):
    """How a heat map's values become colours, all of its parts alike.

    Attributes:
        norm: From values to 0 to 1.
        map: From 0 to 1 to colours; grey where there is no value.
        extend: Which ends stand for values beyond, as a colour bar takes it.
    """

    norm: Normalize
    map: Colormap
    extend: str


def heat_colours(values: npt.NDArray[np.floating], *, is_signed: bool, share: float = 1.0) -> HeatColours:
    """Colours of a heat map, which the colour-blind tell apart: red below 0 and blue above, or white to blue.

    Args:
        values: All of them; NaN where there is none.
        is_signed: Whether below and above 0 mean opposite things: white is then 0.
        share: Of the values' sizes, that whose largest has the strongest colour; the rest have the same.
    """
    known = values[np.isfinite(values)]
    sizes = np.abs(known)
    high = float(np.quantile(sizes, share)) if len(sizes) else 0.0
    high = high or float(sizes.max(initial=0)) or 1.0
    over, under = bool((known > high).any()), is_signed and bool((known < -high).any())
    extend = {(True, True): "both", (True, False): "max", (False, True): "min"}.get((over, under), "neither")
    colours = matplotlib.colormaps["RdBu" if is_signed else "Blues"].with_extremes(bad=NOTHING)
    return HeatColours(Normalize(-high if is_signed else 0, high), colours, extend)


def draw_colour_bar(axes: Axes, colours: HeatColours, label: str) -> None:
    """Fill axes with a colour bar that lies, what it shows to its right."""
    bar = axes.figure.colorbar(
        ScalarMappable(colours.norm, colours.map), cax=axes, orientation="horizontal", extend=colours.extend
    )
    bar.outline.set_linewidth(0.4)
    bar.locator = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
    bar.update_ticks()
    axes.text(1.08, 0.5, label, transform=axes.transAxes, va="center", size=PRINT_SIZE, parse_math=False)


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
