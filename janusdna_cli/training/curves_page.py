"""A page with the curves of pretraining runs, by matplotlib.

The same metrics give the same bytes. A line has at most two points for each of `_BINS` parts of its panel's
width, the lowest and the highest there: a run of a million steps costs no more ink and keeps its spikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from janusdna_cli.outputs.pictures import COLOURS, GREY, printable, styled
from janusdna_cli.training.metrics import Metrics, Series

__all__ = ["MOST_RUNS", "Run", "draw_runs", "smoothed", "thinned"]

Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]

_BINS = 1_000
_SMOOTHED_SHARE = 0.02
_NO_IDEA = 2.0  # bits: four bases, each as likely
_LOG_FROM = 50.0  # highest over lowest value from which an axis is better logarithmic
_CLIP_FROM = 0.5  # how much more of an axis the rarest values must ask for to be left outside

_TICK_STEPS = [1, 2, 2.5, 5, 10]

_WIDTH = 12.0
_ROW_HEIGHTS = (3.0, 2.3, 2.3)
_USAGE_HEIGHT, _BAR_HEIGHT = 1.9, 0.3
_LINE_HEIGHT = 0.27
_LONGEST_NAME, _LONGEST_LINE = 60, 140

_DASHES = ("-", (0, (4, 1.5)))
MOST_RUNS = len(COLOURS) * len(_DASHES)


@dataclass(frozen=True)
class Run:
    """A run as the page shows it.

    Attributes:
        name: What it is called.
        details: What it is, in a line; may be empty.
        metrics: What was measured.
    """

    name: str
    details: str
    metrics: Metrics


@dataclass(frozen=True)
class _Panel:
    title: str
    field: str
    validation: str = ""
    smooth: bool = True
    clip: bool = False
    from_zero: bool = False
    may_be_log: bool = False


_PANELS = (
    _Panel("Bits per base", "bits_per_base", "valid_bits_per_base", clip=True),
    _Panel("Accuracy", "accuracy", "valid_accuracy", clip=True),
    _Panel("Learning rate", "lr", smooth=False, from_zero=True),
    _Panel("Load-balancing loss", "aux_loss", clip=True),
    _Panel("Gradient norm", "gradient_norm", may_be_log=True),
    _Panel("Tokens per second", "tokens_per_second", from_zero=True),
)


def draw_runs(runs: Sequence[Run]) -> Figure:
    """A page with the curves of `runs`, one over the other, and below them who used which expert."""
    with styled():
        usages = [run for run in runs if run.metrics.usage is not None and run.metrics.usage.shares]
        below = [*[_USAGE_HEIGHT] * (len(usages) - 1), _BAR_HEIGHT] if usages else []
        heights = [*_ROW_HEIGHTS, *below]
        lines = 3 if len(runs) == 1 else len(runs) + 1
        header = lines * _LINE_HEIGHT + 0.2
        height = sum(heights) + header
        figure = Figure(figsize=(_WIDTH, height))
        figure.set_layout_engine(
            "constrained", rect=(0.006, 0.006, 0.988, 1 - header / height - 0.006), h_pad=0.07
        )
        _Header(figure, height).draw(runs)
        grid = figure.add_gridspec(len(heights), 3, height_ratios=heights)
        every = _panel_axes(figure, grid, bool(usages))
        for axes, panel in zip(every, _PANELS, strict=True):
            _draw_panel(axes, panel, runs)
        every[0].set_xlabel(_step_label(runs))
        _draw_usages(figure, grid, usages, named=len(runs) > 1)
        return figure


def _panel_axes(figure: Figure, grid: GridSpec, is_shared: bool) -> list[Axes]:
    """Where the panels are; the last is wide where there are no experts beside it."""
    places = [
        grid[0, :2],
        grid[0, 2],
        grid[1, 0],
        grid[1, 1],
        grid[1, 2],
        grid[2:4, 0] if is_shared else grid[2, :],
    ]
    return [figure.add_subplot(place) for place in places]


class _Header:
    """Lines of text above the panels, from the top down."""

    def __init__(self, figure: Figure, height: float) -> None:
        self._figure = figure
        self._height = height
        self._depth = 0.12

    def draw(self, runs: Sequence[Run]) -> None:
        if len(runs) == 1:
            self._text(printable(runs[0].name, _LONGEST_NAME), 0.012, weight="bold", size=15)
            self._text(printable(_summary(runs[0]), _LONGEST_LINE), 0.012, color=GREY)
        else:
            for i, run in enumerate(runs):
                self._line(0.012, 0.035, color=_colour(i), linestyle=_dash(i), linewidth=2.5)
                name = printable(run.name, _LONGEST_NAME)
                self._text(printable(f"{name}: {_summary(run)}", _LONGEST_LINE), 0.042)
        self._key(runs)

    def _key(self, runs: Sequence[Run]) -> None:
        """What the lines of the panels are."""
        is_single = len(runs) == 1
        training, validation = (_colour(0), _colour(1)) if is_single else (GREY, GREY)
        is_smooth = any(_window(run) > 1 for run in runs)
        entries = [("training, each step", {"color": training} | (_PALE if is_smooth else _STRONG))]
        if is_smooth:
            mean = f"moving mean over {_SMOOTHED_SHARE:.0%} of the steps"
            entries.append((mean, {"color": training} | _STRONG))
        if any(len(run.metrics.validation) for run in runs):
            marked = {"marker": "o", "markersize": 4.5, "markevery": [1]}
            entries.append(("validation", _validation_style(validation, is_single) | marked))
        entries.append(("no idea: 2 bits per base", {"color": "black"} | _RULE))
        x = 0.012
        for label, style in entries:
            self._line(x, x + 0.025, **style)
            self._text(label, x + 0.031, step=False, size=10)
            x += 0.055 + 0.0066 * len(label)

    def _text(self, text: str, x: float, *, step: bool = True, size: float = 10.5, **style: Any) -> None:
        self._figure.text(x, self._y(), text, va="center", parse_math=False, size=size, **style)
        self._depth += _LINE_HEIGHT if step else 0

    def _line(self, start: float, end: float, **style: Any) -> None:
        middle = (start + end) / 2
        self._figure.add_artist(Line2D([start, middle, end], [self._y()] * 3, **style))

    def _y(self) -> float:
        return 1 - (self._depth + _LINE_HEIGHT / 2) / self._height


_PALE: dict[str, Any] = {"alpha": 0.35, "linewidth": 0.8, "zorder": 2.0}
_STRONG: dict[str, Any] = {"linewidth": 1.8, "zorder": 2.2}
_NOTE: dict[str, Any] = {"size": 9.5, "weight": "normal", "color": GREY}
_RULE: dict[str, Any] = {"linewidth": 0.8, "linestyle": (0, (5, 3)), "zorder": 1.8}


def _validation_style(colour: str, is_single: bool) -> dict[str, Any]:
    """Of one run in a second colour; of several each in its own, dotted."""
    return {"color": colour, "linestyle": "-" if is_single else ":", "linewidth": 1.2, "zorder": 2.4}


def _summary(run: Run) -> str:
    """What is known of a run, and how far it is."""
    training = run.metrics.training
    if not len(training):
        return run.details
    tokens = training.values["tokens"][-1]
    read = f" ({_scaled(tokens, digits=3)} tokens)" if np.isfinite(tokens) else ""
    return "; ".join([*filter(None, [run.details]), f"step {training.steps[-1]:,}{read}"])


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


def _dash(i: int) -> Any:
    return _DASHES[i // len(COLOURS)]


def _draw_panel(axes: Axes, panel: _Panel, runs: Sequence[Run]) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel("step")
    is_single = len(runs) == 1
    for i, run in enumerate(runs):
        _draw_training(axes, panel, run, {"color": _colour(i), "linestyle": _dash(i)})
        _draw_validation(axes, panel, run, _validation_style(_colour(1 if is_single else i), is_single))
    if not axes.lines:
        axes.text(0.5, 0.5, "not recorded", color=GREY, ha="center", va="center", transform=axes.transAxes)
        axes.set(xticks=[], yticks=[], xlabel="")
        return
    _finish_x(axes, runs)
    _finish_y(axes, panel, runs)


def _draw_training(axes: Axes, panel: _Panel, run: Run, style: dict[str, Any]) -> None:
    steps, values = run.metrics.training.steps, run.metrics.training.values[panel.field]
    window = _window(run)
    is_smooth = panel.smooth and window > 1
    raw = style | (_PALE | {"linestyle": "-"} if is_smooth else _STRONG)
    _draw_line(axes, steps, values, f"{run.name}: each step", raw)
    if is_smooth:
        _draw_line(axes, steps, smoothed(values, window), f"{run.name}: mean", style | _STRONG)


def _window(run: Run) -> int:
    """Steps of a moving mean: an odd number."""
    return int(len(run.metrics.training) * _SMOOTHED_SHARE) | 1


def _draw_validation(axes: Axes, panel: _Panel, run: Run, style: dict[str, Any]) -> None:
    if panel.validation:
        steps, values = run.metrics.validation.steps, run.metrics.validation.values[panel.validation]
        few = {"marker": "o", "markersize": 4.5 if len(steps) <= 30 else 3} if len(steps) <= 60 else {}
        _draw_line(axes, steps, values, f"{run.name}: validation", style | few)


def _draw_line(axes: Axes, steps: Steps, values: Floats, label: str, style: dict[str, Any]) -> None:
    if not np.isfinite(values).any():
        return
    kept = thinned(steps, values)
    x, y = steps[kept], values[kept]
    if "marker" not in style:
        style = style | {"marker": "o", "markersize": 3, "markevery": _alone(y)}
    axes.plot(x, y, label=label, **style)


def _alone(values: Floats) -> list[int]:
    """Points between gaps: a line would not show them."""
    there = np.isfinite(np.concatenate([[np.nan], values, [np.nan]]))
    return [int(i) for i in np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])]


def thinned(steps: Steps, values: Floats, bins: int = _BINS) -> npt.NDArray[np.int64]:
    """Which points of a line to draw: all, or of each of `bins` equal parts of its steps two.

    Args:
        steps: (n,), rising.
        values: (n,); a part of nothing but NaN keeps one of them, so that the line breaks there.
        bins: How many parts the page can show.

    Returns:
        (m,) the lowest and the highest of each part, in order; m is at most n and 2 * bins.
    """
    if len(steps) <= 2 * bins:
        return np.arange(len(steps))
    edges = np.linspace(steps[0], steps[-1], bins + 1)[1:-1]
    bounds = [0, *np.searchsorted(steps, edges).tolist(), len(steps)]
    kept: set[int] = set()
    for start, stop in pairwise(bounds):
        finite = start + np.flatnonzero(np.isfinite(values[start:stop]))
        if len(finite):
            there = values[finite]
            kept |= {int(finite[there.argmin()]), int(finite[there.argmax()])}
        elif stop > start:
            kept.add(start)
    return np.array(sorted(kept), np.int64)


def smoothed(values: Floats, window: int) -> Floats:
    """The mean of `window` values around each, fewer near the ends; NaN stays NaN and counts for nothing.

    In the first half window the means are of as many values on both sides: a loss that falls steeply there
    is not flattened.

    Args:
        values: (n,).
        window: An odd number of values.
    """
    there = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(there, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(there)])
    at = np.arange(len(values))
    half = np.minimum(window // 2, at)
    low, high = at - half, np.minimum(at + half + 1, len(values))
    means = (sums[high] - sums[low]) / np.maximum(counts[high] - counts[low], 1)
    return np.where(there, means, np.nan)


def _finish_x(axes: Axes, runs: Sequence[Run]) -> None:
    every = [steps for run in runs for steps in (run.metrics.training.steps, run.metrics.validation.steps)]
    first = min(int(steps[0]) for steps in every if len(steps))
    last = max(int(steps[-1]) for steps in every if len(steps))
    margin = max(0.01 * (last - first), 0.5)
    axes.set_xlim(first - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=_TICK_STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _scaled(value)))


def _step_label(runs: Sequence[Run]) -> str:
    """Tokens go along with steps: how many are in one, where all have as many."""
    found = {_tokens_per_step(run.metrics.training) for run in runs}
    tokens = found.pop() if len(found) == 1 else None
    return f"step ({tokens:,} tokens each)" if tokens else "step"


def _tokens_per_step(training: Series) -> int | None:
    tokens = training.values["tokens"]
    if not len(tokens) or not training.steps[-1] or not np.isfinite(tokens[-1]):
        return None
    each = tokens[-1] / training.steps[-1]
    known = np.isfinite(tokens)
    is_even = np.allclose(tokens[known], each * training.steps[known], rtol=1e-6)
    return round(each) if is_even else None


def _finish_y(axes: Axes, panel: _Panel, runs: Sequence[Run]) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_TICK_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _scaled(value)))
    if panel.may_be_log and _spans_much(runs, panel.field):
        axes.set_yscale("log", nonpositive="mask")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0,), numticks=6))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _scaled(value)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if panel.clip:
        _clip(axes, panel, runs)
    if panel.from_zero:
        axes.set_ylim(bottom=0)
    if panel.field == "bits_per_base":
        axes.axhline(_NO_IDEA, color="black", label="no idea", **_RULE)


def _spans_much(runs: Sequence[Run], field: str) -> bool:
    values = np.concatenate([run.metrics.training.values[field] for run in runs])
    positive = values[values > 0]
    return bool(len(positive) and positive.max() > _LOG_FROM * positive.min())


def _clip(axes: Axes, panel: _Panel, runs: Sequence[Run]) -> None:
    """Leaves a few far values outside the axis, and says so, where they would flatten all the others."""
    values = np.concatenate([run.metrics.training.values[panel.field] for run in runs])
    steps = np.concatenate([run.metrics.training.steps for run in runs])
    known = np.isfinite(values)
    shown = [run.metrics.validation.values[panel.validation] for run in runs] if panel.validation else []
    others = np.concatenate([*shown, [_NO_IDEA] if panel.field == "bits_per_base" else []])
    others = others[np.isfinite(others)]
    if not known.any():
        return
    values, steps = values[known], steps[known]
    low, high = (_extreme(values, others, share) for share in (0.005, 0.98))
    spared = _CLIP_FROM * (high - low)
    outside = []
    if values.max() > high + spared:
        outside.append(f"↑ {values.max():.3g} at step {steps[values.argmax()]:,}")
    else:
        high = max(high, values.max())
    if values.min() < low - spared:
        outside.append(f"↓ {values.min():.3g} at step {steps[values.argmin()]:,}")
    else:
        low = min(low, values.min())
    margin = 0.05 * (high - low)
    if margin > 0:
        axes.set_ylim(low - margin, high + margin)
    axes.set_title(", ".join(outside), loc="right", **_NOTE)


def _extreme(values: Floats, others: Floats, share: float) -> float:
    extreme = max if share > 0.5 else min
    return float(extreme([np.quantile(values, share), *others]))


def _draw_usages(figure: Figure, grid: GridSpec, runs: Sequence[Run], *, named: bool) -> None:
    """For each run a row, for each stream a map: layers with experts from the top down, experts along."""
    usages = [(run, run.metrics.usage) for run in runs if run.metrics.usage is not None]
    if not usages:
        return
    shares = [table for _, usage in usages for table in usage.shares.values()]
    even = {1 / table.shape[1] for table in shares}
    highest = max([2 * max(even), *(float(np.nanmax(table, initial=0.0)) for table in shares)])
    for row, (run, usage) in enumerate(usages):
        for column, (stream, table) in enumerate(list(usage.shares.items())[:2]):
            axes = figure.add_subplot(grid[2 + row, 1 + column])
            mesh = _draw_map(axes, table, highest)
            named_run = f"{printable(run.name, 18)}: " if named else "Experts, "
            axes.set_title(f"{named_run}{printable(stream, 18)}", parse_math=False)
            axes.set_title(f"step {usage.step:,}", loc="right", **_NOTE)
    bar = figure.colorbar(mesh, cax=figure.add_subplot(grid[-1, 1:]), orientation="horizontal")
    _mark_shares(bar, highest, even)


def _draw_map(axes: Axes, table: Floats, highest: float) -> Any:
    layers, experts = table.shape
    edges = (np.arange(experts + 1) + 0.5, np.arange(layers + 1) + 0.5)
    mesh = axes.pcolormesh(
        *edges, table, cmap="cividis", vmin=0, vmax=highest, edgecolors="white", linewidth=0.5
    )
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    axes.set(xlabel="expert", ylabel="expert layer")
    return mesh


def _mark_shares(bar: Any, highest: float, even: set[float]) -> None:
    """None, an even share, the highest."""
    ticks = {0.0: "0% of the tokens", highest: f"{100 * highest:.3g}%"}
    if len(even) == 1:
        (share,) = even
        if share > 0.3 * highest:
            ticks[share] = f"{100 * share:.3g}% even"
        else:
            ticks[0.0] += f" (even: {100 * share:.3g}%)"
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.ax.tick_params(length=0)
    for label, side in zip(bar.ax.get_xticklabels(), ("left", "right", "center"), strict=False):
        label.set_horizontalalignment(side)
    bar.outline.set_visible(False)


def _scaled(value: float, digits: int = 4) -> str:
    """A number in a few digits: 25,000 as 25k, 26.2e9 as 26.2G."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.{digits}g}{letter}"
    return f"{value:.{digits}g}"
