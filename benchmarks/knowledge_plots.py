"""What do models know of genes, beside each other?

    python benchmarks/knowledge_plots.py before=before.json after=after.json --genome human

Draws donors.svg, acceptors.svg, effects.svg and kinds.svg of results of gene_knowledge.py, a colour for each
of them, of one genome.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from plots import COLOURS, HERE, STYLE, Axes, Rows, plt
from spots import NEITHER

# By the name of a model.
Results = dict[str, Rows]


def main() -> None:
    """Draw what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("results", nargs="+", metavar="NAME=JSON")
    parser.add_argument("--genome", help="the first where none is named")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "plots")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    results = {name: rows_of(Path(path), options.genome) for name, path in map(named, options.results)}
    plt.rcParams.update(STYLE)
    for name, (field, draw) in PLOTS.items():
        there = {model: found for model, rows in results.items() if (found := having(rows, field))}
        if not there:
            print(f"{name}.svg: not drawn, no result has {field!r}")
            continue
        figure, axes = plt.subplots()
        draw(axes, there)
        figure.savefig(options.output / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


def named(given: str) -> tuple[str, str]:
    """A name and a path."""
    name, equals, path = given.partition("=")
    if not equals:
        raise SystemExit(f"{given}: expected NAME=JSON")
    return name, path


def rows_of(path: Path, genome: str | None) -> Rows:
    """Those of one genome."""
    rows: Rows = [row for row in json.loads(path.read_text())["rows"] if "genome" in row]
    names = list(dict.fromkeys(row["genome"] for row in rows))
    wanted = names[0] if genome is None and names else genome
    if wanted not in names:
        raise SystemExit(f"{path}: has no genome {wanted}, it has {', '.join(names) or 'none'}")
    return [row for row in rows if row["genome"] == wanted]


def having(rows: Rows, field: str) -> Rows:
    """Rows of one table."""
    return [row for row in rows if field in row]


def draw_junctions(kind: str, axes: Axes, results: Results) -> None:
    """Mean llr by the distance from junctions, and from what looks like one."""
    for (name, rows), colour in zip(results.items(), COLOURS, strict=False):
        for which, style in ((kind, "-"), (NEITHER[kind], ":")):
            own = [row for row in rows if row["junction"] == which]
            means, errors = ([row[field] for row in own] for field in ("mean llr", "standard error"))
            axes.errorbar(
                [row["offset"] - (row["offset"] > 0) for row in own], means,
                yerr=[1.96 * error for error in errors],
                color=colour, linestyle=style, markersize=3, linewidth=1, label=f"{name}, {which}",
            )  # fmt: skip
    axes.axvline(-0.5, color="black", linewidth=0.8, marker="")
    sides = "exon | intron" if kind == "donor" else "intron | exon"
    axes.set(
        title=f"Splice {kind}s: {sides}",
        xlabel="bases from the junction",
        ylabel="mean llr of substitutions, nats",
    )
    axes.legend()


def draw_effects(axes: Axes, results: Results) -> None:
    """Mean llr by the position in the codon, and by what becomes of the protein."""
    order = {"position": 0, "effect": 1}
    for rows in results.values():
        rows.sort(key=lambda row: order[row["codon"]])
        for row in rows:
            row["which"] = f"position {row['which']}" if row["codon"] == "position" else row["which"]
    bars(axes, results, "which", "mean llr")
    axes.axhline(0, color="black", linewidth=0.8, marker="")
    axes.set(title="Substitutions in coding exons", ylabel="mean llr, nats")


def draw_kinds(axes: Axes, results: Results) -> None:
    """Bits per base by kind."""
    bars(axes, results, "kind", "bits per base")
    axes.set(title="Bits per base by kind of base", ylabel="bits per base", ylim=(0, 2))
    axes.tick_params(axis="x", rotation=30)


def bars(axes: Axes, results: Results, field: str, value: str) -> None:
    """A group of bars for each value of a field, in each of them one for each model."""
    names = list(dict.fromkeys(row[field] for rows in results.values() for row in rows))
    width = 0.8 / len(results)
    for number, ((model, rows), colour) in enumerate(zip(results.items(), COLOURS, strict=False)):
        left = (number - (len(results) - 1) / 2) * width
        axes.bar(
            [names.index(row[field]) + left for row in rows],
            [row[value] for row in rows],
            yerr=[1.96 * (row["standard error"] or 0) for row in rows],
            width=width, color=colour, label=model,
        )  # fmt: skip
    axes.set_xticks(range(len(names)), names)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(results))


PLOTS: dict[str, tuple[str, Callable[[Axes, Results], None]]] = {
    "donors": ("junction", partial(draw_junctions, "donor")),
    "acceptors": ("junction", partial(draw_junctions, "acceptor")),
    "effects": ("codon", draw_effects),
    "kinds": ("kind", draw_kinds),
}


if __name__ == "__main__":
    main()
