"""What do the last results look like?

    python benchmarks/plots.py

Draws docs/plots/*.svg from benchmarks/results/*.json. Results that are not there are left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

HERE = Path(__file__).parent
# Okabe and Ito's colours, which the colour-blind tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "figure.figsize": (6.4, 3.8),
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.marker": "o",
    "lines.markersize": 4,
    "savefig.bbox": "tight",
    "savefig.facecolor": "white",
    "svg.hashsalt": "janusdna",
}
Rows = list[dict[str, Any]]


def main() -> None:
    """Draw what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "plots")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update(STYLE)
    for name, (source, draw) in PLOTS.items():
        results = options.results / f"{source}.json"
        if not results.exists():
            print(f"{name}.svg: not drawn, {results} is not there")
            continue
        figure, axes = plt.subplots()
        draw(axes, json.loads(results.read_text())["rows"])
        figure.savefig(options.output / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


def draw_window(axes: Axes, rows: Rows) -> None:
    """Time of one pass over the window."""
    slopes = [row["exponent"] for row in rows if "exponent" in row]
    found = f"; from 64 kb on it grows as window^{slopes[0]:.2f}" if slopes else ""
    for targets, label in (("one", "one target"), ("all", "all positions")):
        line(axes, [row for row in rows if row.get("targets") == targets], "window", "seconds", label)
    finish(axes, f"One pass over a window, one strand{found}", "window, bases", "seconds")


def draw_networks(axes: Axes, rows: Rows) -> None:
    """Time of a window by network: the narrower ones of equal width, and those of published sizes."""
    read = [row for row in rows if row.get("seconds") and "-144" not in row["network"]]
    for name, colour in zip(dict.fromkeys(row["network"] for row in read), COLOURS, strict=False):
        own = [row for row in read if row["network"] == name]
        line(axes, own, "window", "seconds", name, color=colour)
    finish(axes, "One window, one strand, by network", "window, bases", "seconds")


def draw_memory(axes: Axes, rows: Rows) -> None:
    """Peak memory of the command."""
    line(axes, [row for row in rows if "window" in row], "window", "peak MB", "one variant")
    finish(axes, "Peak memory of the command", "window, bases", "MB", scale="linear")
    axes.set_ylim(bottom=0)


def draw_command(axes: Axes, rows: Rows) -> None:
    """Time of the command."""
    measured = [row for row in rows if "window" in row]
    line(axes, measured, "window", "seconds", "from start to end")
    line(axes, measured, "window", "after start", "after start")
    finish(axes, "One variant, the whole command, both strands", "window, bases", "seconds")


def draw_scan(axes: Axes, rows: Rows) -> None:
    """The scans' peers."""
    peers(axes, rows, "scan", "The selective scan")


def draw_fusion(axes: Axes, rows: Rows) -> None:
    """The fusion's peers."""
    peers(axes, rows, "attention", "The fusion, every position")


def draw_tile(axes: Axes, rows: Rows) -> None:
    """Time of one window with many variants, against a pass for each."""
    longest = max(row["window"] for row in rows)
    for kind, colour in zip(("SNV", "deletion"), COLOURS, strict=False):
        measured = [
            row for row in rows if row["variants"] == kind and row["window"] == longest and row["count"] > 0
        ]
        line(axes, measured, "count", "seconds", f"{kind}s", color=colour)
        if kind == "deletion":
            style = {"color": colour, "linestyle": ":", "marker": ""}
            line(axes, measured, "count", "passes would take", "a pass for each ALT", **style)
    finish(axes, f"Variants in one tile of {longest:,} bases, one strand", "variants", "seconds")


def peers(axes: Axes, rows: Rows, kind: str, title: str) -> None:
    """Forward alone, and dashed with backward, of each of several ways to compute one thing."""
    named = [row for row in rows if kind in row and "forward, seconds" in row]
    for name, colour in zip(dict.fromkeys(row[kind] for row in named), COLOURS, strict=False):
        own = [row for row in named if row[kind] == name]
        line(axes, own, "length", "forward, seconds", name, color=colour)
        line(axes, own, "length", "with backward", "", color=colour, linestyle="--", alpha=0.7)
    finish(axes, f"{title} (dashed: with backward)", "length, bases", "seconds")


def draw_against(x: str, y: str, axes: Axes, rows: Rows) -> None:
    """Janus and masked training, means over the seeds with all of them around."""
    measured = [row for row in rows if "objective" in row]
    kinds = dict.fromkeys((row["objective"], row["width"]) for row in measured)
    colours = dict(zip(dict.fromkeys(objective for objective, _ in kinds), COLOURS, strict=False))
    styles = dict(zip(sorted({width for _, width in kinds}), ("--", "-", ":"), strict=False))
    for objective, width in kinds:
        own = [row for row in measured if (row["objective"], row["width"]) == (objective, width)]
        steps = sorted({row["step"] for row in own})
        by_step = [[row for row in own if row["step"] == step] for step in steps]
        places = [fmean(row[x] for row in some) for some in by_step]
        values = [[row[y] for row in some] for some in by_step]
        style = {"color": colours[objective], "linestyle": styles[width]}
        axes.plot(places, [fmean(some) for some in values], label=f"{objective}, width {width}", **style)
        axes.fill_between(
            places, [min(some) for some in values], [max(some) for some in values],
            color=colours[objective], alpha=0.12, linewidth=0,
        )  # fmt: skip
    seeds = len({row["seed"] for row in measured})
    finish(axes, f"Janus and masked training, seeds: {seeds}", x, y, scale="linear")


def draw_substitutions(axes: Axes, rows: Rows) -> None:
    """Mean llr of the substitutions, at CpG and elsewhere."""
    measured = [row for row in rows if "substitution" in row]
    names = list(dict.fromkeys(row["substitution"] for row in measured))
    for shift, where in ((-0.2, "CpG"), (0.2, "elsewhere")):
        own = [row for row in measured if row["where"] == where]
        axes.bar(
            [names.index(row["substitution"]) + shift for row in own],
            [row["mean llr"] for row in own],
            width=0.4, label=where,
        )  # fmt: skip
    axes.axhline(0, color="black", linewidth=0.8, marker="")
    axes.set(title="Substitutions, at CpG and elsewhere", ylabel="mean llr, nats", xticks=range(len(names)))
    axes.set_xticklabels(names)
    axes.legend()


def draw_alus(axes: Axes, rows: Rows) -> None:
    """Bits per base along Alu elements."""
    own = [row for row in rows if "Alu" in row and row["bases"] >= 100]
    elements = max((row["elements"] for row in own), default=0)
    axes.plot([row["Alu"] for row in own], [row["bits per base"] for row in own])
    axes.set(
        title=f"{elements:,} Alu elements and 100 bases on each side",
        xlabel="base of AluY",
        ylabel="bits per base",
        ylim=(0, 2),
    )


def line(axes: Axes, rows: Rows, x: str, y: str, label: str, **style: Any) -> None:
    """One line of what was measured, in order."""
    points = sorted((row[x], row[y]) for row in rows if row.get(y) is not None)
    if points:
        axes.plot(*zip(*points, strict=True), label=label or None, **style)


def finish(axes: Axes, title: str, x: str, y: str, *, scale: str = "log") -> None:
    """Plain numbers on the axes, names and a legend."""
    axes.set(title=title, xlabel=x, ylabel=y, xscale=scale, yscale=scale)
    for axis, told in ((axes.xaxis, short), (axes.yaxis, "{:,.10g}".format)):
        if scale == "log":
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _, told=told: told(value)))
        axis.set_minor_formatter(NullFormatter())
    axes.legend()


def short(value: float) -> str:
    """1,000 as 1k, a million as 1M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


PLOTS: dict[str, tuple[str, Callable[[Axes, Rows], None]]] = {
    "window": ("window", draw_window),
    "peers": ("peers", draw_networks),
    "command": ("one_variant", draw_command),
    "memory": ("one_variant", draw_memory),
    "scan": ("selective_scan", draw_scan),
    "fusion": ("fusion", draw_fusion),
    "tile": ("tile", draw_tile),
    "janus_bits_by_step": ("janus_vs_mlm", partial(draw_against, "step", "bits per base")),
    "janus_bits_by_second": ("janus_vs_mlm", partial(draw_against, "seconds", "bits per base")),
    "janus_accuracy_by_step": ("janus_vs_mlm", partial(draw_against, "step", "accuracy, last")),
    "janus_accuracy_by_second": ("janus_vs_mlm", partial(draw_against, "seconds", "accuracy, last")),
    "cpg": ("biology", draw_substitutions),
    "alu": ("biology", draw_alus),
}


if __name__ == "__main__":
    main()
