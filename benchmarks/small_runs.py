"""Which sizes, steps and weights learn most in a few minutes?

    python benchmarks/small_runs.py --vertebrates vertebrates --runs small-runs
    python benchmarks/small_runs.py --vertebrates vertebrates --runs small-runs --only "as it was" "lr 0.02"

Each is a pretraining on the corpus that vertebrates.py and `janusdna corpus` made, with one thing that
differs from "as it was": bits per base of what is held out, by kind of base, the mean of both strands, in
--windows windows of 1,024 bases or as much. --steps are those of "as it was"; wider and deeper networks
take about as many as go into its time. A run that is in --runs already is not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from baselines import Bits
from measure import Row, arguments, report, run_janusdna

from janusdna import preset
from janusdna_cli import CorpusSettings

KINDS = ("coding", "splice", "untranslated", "promoter", "intron", "intergenic", "repeat")
COMMON = (
    "--shift",
    "--optimizer",
    "muon",
    "--tokens-per-step",
    "8k",
    "--min-lr",
    "0.0002",
    "--warmup",
    "0.04",
)


class Variant(NamedTuple):
    """What differs.

    Attributes:
        options: Of `pretrain`.
        sizes: Of janusdna-32's fields.
        share: Of the steps.
        often: What --gene-weight is.
        counts: What bases of a kind count in the loss, where it is not what COUNTS says.
        length: Bases of a window.
    """

    options: tuple[str, ...] = ()
    sizes: Mapping[str, Any] = {}
    share: float = 1.0
    often: float = 10.0
    counts: Mapping[str, float] = {}
    length: int = 1024


def wide(size: int) -> dict[str, int]:
    """The sizes of a width."""
    return {"hidden_size": size, "intermediate_size": 4 * size, "fusion_scale_width": 2 * size}


COUNTS = {"site": 1.0, "repeat": 0.1}
DEEP = {"num_layers": 12, "expert_layers": (1, 3, 5, 7, 9, 11)}
VARIANTS = {
    "as it was": Variant(),
    "width 48": Variant(sizes=wide(48), share=0.6),
    "64 experts": Variant(sizes={"num_experts": 64}, share=0.9),
    "12 layers": Variant(sizes=DEEP, share=0.68),
    "genes as often as others": Variant(often=1.0),
    "genes 30 times": Variant(often=30.0),
    "repeats count 0.3": Variant(counts={"repeat": 0.3}),
    "repeats count 1": Variant(counts={"repeat": 1.0}),
    "splice 4, coding 2": Variant(counts={"splice": 4.0, "coding": 2.0}),
    "sites count 50": Variant(counts={"site": 50.0}),
    "width 48, 32 experts": Variant(sizes=wide(48) | {"num_experts": 32}, share=0.58),
    "lr 0.02": Variant(("--lr", "0.02")),
    "lr 0.007": Variant(("--lr", "0.007")),
    "16,384 bases a step": Variant(("--tokens-per-step", "16k"), share=0.5),
    "4,096 bases a step": Variant(("--tokens-per-step", "4k"), share=2.0),
    "no warm-up": Variant(("--warmup", "0")),
    "warm-up of a fifth": Variant(("--warmup", "0.2")),
    "rate falls to a tenth": Variant(("--min-lr", "0.0012")),
    "rate stays": Variant(("--min-lr", "0.012")),
    "windows of 2,048": Variant(length=2048),
    "windows of 512": Variant(length=512),
}


def main() -> None:
    """Run what is not there, and report."""
    options = parse()
    rows: list[Row] = []
    for name in options.only or VARIANTS:
        rows.append(measured(name, VARIANTS[name], options))
        report(rows, options.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "small_runs")
    parser.add_argument("--vertebrates", type=Path, required=True, help="the folder that vertebrates.py made")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=VARIANTS)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--windows", type=int, default=600, help="held out, that are read at the end")
    parser.add_argument("--threads", type=int, help="of each run")
    return parser.parse_args()


def measured(name: str, variant: Variant, options: argparse.Namespace) -> Row:
    """One run, or what is there of it."""
    folder = options.runs / name.replace(" ", "-").replace(",", "")
    steps = round(options.steps * variant.share)
    if not (folder / "model").exists():
        threads = [] if options.threads is None else ["--threads", str(options.threads)]
        run_janusdna(*words(variant, steps, folder, options), *threads, "--quiet")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    held_out = next(line for line in reversed(lines) if "valid_bits_per_base" in line)
    speeds = sorted(line["tokens_per_second"] for line in lines if "tokens_per_second" in line)
    bits = held_out["valid_bits_by_kind"]
    return {
        "run": name,
        "steps": steps,
        "kb/s": speeds[len(speeds) // 2] / 1000,
        "bits": Bits(held_out["valid_bits_per_base"]),
        **{kind: Bits(bits[f"human.{kind}"]) for kind in KINDS},
        "mouse coding": Bits(bits["mouse.coding"]),
    }


def words(variant: Variant, steps: int, folder: Path, options: argparse.Namespace) -> list[str]:
    """Of the command line."""
    options.runs.mkdir(parents=True, exist_ok=True)
    sizes = folder.with_suffix(".json")
    sizes.write_text(
        json.dumps(dataclasses.asdict(dataclasses.replace(preset("janusdna-32"), **variant.sizes)))
    )
    given = (options.vertebrates / "corpus.args").read_text().split("\n")
    fasta = [word for line in given if line.startswith("--fasta") for word in line.split()]
    tables = options.vertebrates / "corpus"
    often = {f"{CorpusSettings.gene_weight:g}": variant.often}
    intervals = weighed(tables / "intervals.bed", 4, often, options.runs)
    weights = weighed(tables / "weights.bed", 3, COUNTS | variant.counts, options.runs)
    return [
        "pretrain", *fasta, "--intervals", str(intervals), "--weights", str(weights), "-o", str(folder),
        "--preset", str(sizes), *COMMON, "--lr", "0.012", "--length", str(variant.length), *variant.options,
        "--max-steps", str(steps), "--valid-every", str(steps), "--checkpoint-every", str(steps),
        "--valid-windows", str(options.windows * 1024 // variant.length),
    ]  # fmt: skip


def weighed(table: Path, column: int, other: Mapping[str, float], folder: Path) -> Path:
    """A table with other weights in its last column, by what is in `column`."""
    path = folder / "-".join([table.stem, *(f"{key}-{weight:g}" for key, weight in other.items())])
    path = path.with_name(f"{path.name}.bed")
    if not path.exists():
        with table.open() as source, path.open("w") as changed:
            for line in source:
                fields = line.rstrip("\n").split("\t")
                if fields[column] in other:
                    fields[-1] = f"{other[fields[column]]:g}"
                changed.write("\t".join(fields) + "\n")
    return path


if __name__ == "__main__":
    main()
