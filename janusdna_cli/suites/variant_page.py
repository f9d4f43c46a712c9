"""What was found of scores of variants, for people: a page and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from janusdna_cli.outputs.pictures import COLOURS, GREY, styled, write_picture

__all__ = ["as_markdown", "draw"]

_MOST_GROUPS = 24


def as_markdown(record: Mapping[str, Any]) -> str:
    """What `benchmark.json` holds, as a page."""
    classes = record["classes"]
    intro = (
        f"{classes['positive']:,} positives, {classes['negative']:,} negatives, {classes['neither']:,} "
        "neither. AUROC: 0.5 is chance; AUPRC: the share of positives is. In brackets the middle 95 % over "
        "1,000 resamples of each class."
    )
    if lower := record["lower_is_positive"]:
        intro += f" The lower {' or '.join(lower)} is, the more a variant is taken for a positive."
    heads = ("group", "score", "positives", "negatives", "without a score", "AUROC", "AUPRC")
    lines = [_line(heads), _line(("---", "---", *["---:"] * 5))]
    for row in record["found"]:
        counted = (f"{row[name]:,}" for name in ("positives", "negatives", "without"))
        lines.append(
            _line((row["group"], row["score"], *counted, _found(row["auroc"]), _found(row["auprc"])))
        )
    return f"# {record['title']}\n\n{intro}\n\n" + "\n".join(lines) + "\n\n![AUROC](auroc.png)\n"


def draw(record: Mapping[str, Any], path: str) -> None:
    """AUROCs with their intervals, a group a row; a picture that is there is replaced.

    Raises:
        InputError: If it cannot be written.
    """
    with styled():
        figure = _figure(record["found"])
    write_picture(figure, path)


def _figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    groups = list(dict.fromkeys(row["group"] for row in rows))[:_MOST_GROUPS]
    scores = list(dict.fromkeys(row["score"] for row in rows))
    figure = Figure(figsize=(7.0, 1.4 + 0.24 * len(groups) * (1 + len(scores))), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (5, 3)))
    step = 1 / (1 + len(scores))
    for at, score in enumerate(scores):
        for row in rows:
            if row["score"] == score and row["group"] in groups and row["auroc"] is not None:
                y = groups.index(row["group"]) + at * step
                found, colour = row["auroc"], COLOURS[at % len(COLOURS)]
                axes.plot((found["low"], found["high"]), (y, y), color=colour, linewidth=1.4)
                axes.plot(found["value"], y, "o", color=colour, markersize=4.5)
        axes.plot([], [], "o-", color=COLOURS[at % len(COLOURS)], label=score, markersize=4.5)
    axes.set_yticks([place + step * (len(scores) - 1) / 2 for place in range(len(groups))], groups)
    axes.set_ylim(len(groups) - step / 2, -step)
    axes.set_xlabel("AUROC")
    axes.grid(axis="y", visible=False)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.9 / figure.get_figheight()), ncols=4, frameon=False
    )
    return figure


def _found(metric: Mapping[str, float] | None) -> str:
    if metric is None:
        return "-"
    return f"{metric['value']:.3f} [{metric['low']:.3f}, {metric['high']:.3f}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
