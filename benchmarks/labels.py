r"""What does fine-tuning reach on real labels, beside k-mers, a probe, and the same network from scratch?

    python benchmarks/labels.py --data ../shared/data --runs labels-runs
    python benchmarks/labels.py --runs labels-runs --only "UCI splice" --options --seeds 1,2,3

Each task is one `janusdna finetune --baselines all`, whose command is printed and saved. Its folder in --runs
is taken up where it stands, so what was interrupted goes on; the table is written anew after each task. Where
a data set's training part is not here, or is more than an hour's work, the task's note says what was learned
from instead.

Metrics are scikit-learn's; in brackets is the middle 95 % of 1,000 bootstrap resamples of the test sequences.
"""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from measure import Row, arguments, report, run_janusdna

METHODS = ("k-mers", "probe", "from scratch", "fine-tuned")
NT, GB = "benchmarks/nucleotide-transformer", "benchmarks/genomic-benchmarks"
PAPER = {
    "H3": 0.835, "H3K14ac": 0.729, "H3K36me3": 0.702, "H3K4me3": 0.688,
    "demo_coding_vs_intergenomic_seqs": 0.912, "human_ensembl_regulatory": 0.877,
    "human_nontata_promoters": 0.957,
}  # fmt: skip

Rows = pd.DataFrame


class Task(NamedTuple):
    """A task.

    Attributes:
        name: Of data set and task.
        make: The table to learn from and that of the test, of the data's folder; None where folds are tested.
        metric: What is reported.
        options: Of `finetune`, besides.
        paper: What JanusDNA's paper has for the whole task.
        note: What is not as in the published task.
    """

    name: str
    make: Callable[[Path], tuple[Rows, Rows | None]]
    metric: str
    options: tuple[str, ...]
    paper: float | None = None
    note: str = ""


def uci_splice(data: Path) -> tuple[Rows, None]:
    """Lines of class, name, sequence; names repeat; letters such as D and S stand for several bases."""
    lines = (data / "labelled/uci_splice.data").read_text().splitlines()
    fields = ([field.strip() for field in line.split(",")] for line in lines)
    return _rows((f"{i}_{name}", bases, label) for i, (label, name, bases) in enumerate(fields, 1)), None


def enhancers(data: Path) -> tuple[Rows, Rows]:
    """The first layer of iEnhancer: an enhancer or not."""
    folder = data / "labelled/iEnhancer"
    parts = [
        [("enhancer", folder / f"enhancer.{part}.txt"), ("none", folder / f"non.{part}.txt")]
        for part in ("cv", "ind")
    ]
    return _of_files(parts[0]), _of_files(parts[1])


def strong_enhancers(data: Path) -> tuple[Rows, Rows]:
    """The second layer of iEnhancer: a strong enhancer or a weak one."""
    folder = data / NT / "iEnhancer"
    parts = [
        [(label, folder / f"{label}_{count}.txt") for label in ("strong", "weak")] for count in (742, 100)
    ]
    return _of_files(parts[0]), _of_files(parts[1])


def gue(place: str, part: str = "dev") -> Callable[[Path], tuple[Rows, Rows]]:
    """A task of GUE."""

    def make(data: Path) -> tuple[Rows, Rows]:
        train, test = (
            pd.read_csv(data / NT / "GUE" / place / f"{name}.csv.gz", dtype=str) for name in (part, "test")
        )
        return tuple(
            _rows((str(i), row.sequence, row.label) for i, row in enumerate(frame.itertuples(), 1))
            for frame in (train, test)
        )  # type: ignore[return-value]

    return make


def derived(name: str, test: str | None = None) -> Callable[[Path], tuple[Rows, Rows]]:
    """A task of GenomicBenchmarks, as far as its genome is here; its whole test where that is."""

    def make(data: Path) -> tuple[Rows, Rows]:
        frame = pd.read_csv(data / GB / "derived" / f"{name}.tsv.gz", sep="\t", dtype=str)

        def of(part: str) -> Rows:
            rows = frame[frame.split == part]
            named = rows["class"] + "_" + rows["id"]
            return _rows(zip(named, rows.seq, rows["class"], strict=True))

        if test is None:
            return of("train"), of("test")
        whole = pd.read_csv(data / GB / "sequences" / test, sep="\t", dtype=str)
        labels = whole.iloc[:, 1].map({"0": "negative", "1": "positive"})
        return of("train"), _rows(
            zip(map(str, range(1, len(whole) + 1)), whole.iloc[:, 0], labels, strict=True)
        )

    return make


_SLICES = "train: the published sequences that lie in the genome slices at hand"
_DEV = "train: the published validation part (the train part is not at hand)"
# For all: what is small is learned in small batches.
OPTIONS = ("--batch", "32", "--lr", "2e-3")
TASKS = (
    Task("UCI splice", uci_splice, "accuracy", ("--folds", "10", "--epochs", "2", "--pool", "center")),
    Task("iEnhancer, enhancer or not", enhancers, "accuracy", ("--epochs", "5")),
    Task("iEnhancer, strong or weak", strong_enhancers, "accuracy", ("--epochs", "5")),
    Task(
        "human_nontata_promoters", derived("human_nontata_promoters", "human_nontata_promoters.test.tsv.gz"),
        "accuracy", ("--epochs", "10"), PAPER["human_nontata_promoters"], f"{_SLICES}; test: whole",
    ),
    Task(
        "human_enhancers_cohn", derived("human_enhancers_cohn", "human_enhancers_cohn.test.tsv.gz"),
        "accuracy", ("--epochs", "10"), None, f"{_SLICES}; test: whole",
    ),
    Task(
        "demo_coding_vs_intergenomic_seqs", derived("demo_coding_vs_intergenomic_seqs"), "accuracy",
        ("--epochs", "10"), PAPER["demo_coding_vs_intergenomic_seqs"], f"{_SLICES}, test likewise",
    ),
    Task(
        "human_ensembl_regulatory", derived("human_ensembl_regulatory"), "accuracy", ("--epochs", "4"),
        PAPER["human_ensembl_regulatory"], f"{_SLICES}, test likewise",
    ),
    Task("GUE H3", gue("EMP/H3"), "mcc", ("--epochs", "4"), PAPER["H3"], _DEV),
    Task("GUE H3K4me3", gue("EMP/H3K4me3"), "mcc", ("--epochs", "3"), PAPER["H3K4me3"], _DEV),
    Task("GUE prom_core_tata", gue("prom/prom_core_tata", "train"), "mcc", ("--epochs", "5")),
    Task("GUE splice", gue("splice/reconstructed"), "mcc", ("--epochs", "4", "--pool", "center"), None, _DEV),
    Task(
        "human_ocr_ensembl", derived("human_ocr_ensembl"), "accuracy", ("--epochs", "4"), None,
        f"{_SLICES}, test likewise",
    ),
    Task(
        "human_enhancers_ensembl", derived("human_enhancers_ensembl"), "accuracy", ("--epochs", "4"), None,
        f"{_SLICES}, test likewise",
    ),
    Task("GUE H3K14ac", gue("EMP/H3K14ac"), "mcc", ("--epochs", "3"), PAPER["H3K14ac"], _DEV),
    Task("GUE H3K36me3", gue("EMP/H3K36me3"), "mcc", ("--epochs", "3"), PAPER["H3K36me3"], _DEV),
)  # fmt: skip


def _rows(rows: Iterator[tuple[str, str, str]]) -> Rows:
    return pd.DataFrame(list(rows), columns=["id", "sequence", "label"])


def _of_files(files: list[tuple[str, Path]]) -> Rows:
    return _rows(
        (f"{label}_{i}", bases, label) for label, path in files for i, bases in enumerate(_records(path), 1)
    )


def _records(path: Path) -> Iterator[str]:
    """The sequences of a FASTA."""
    for record in path.read_text().split(">")[1:]:
        yield "".join(record.split("\n")[1:]).replace("\r", "")


def run(task: Task, data: Path, runs: Path, options: list[str], most: int | None) -> Row:
    """One task, or what was found of it."""
    folder = runs / task.name.replace(" ", "_").replace(",", "")
    folder.mkdir(parents=True, exist_ok=True)
    train, test = task.make(data)
    if most is not None:
        train, test = (rows if rows is None else _some(rows, most) for rows in (train, test))
    train.to_csv(folder / "train.tsv", sep="\t", index=False)
    words = [
        "finetune",
        str(folder / "train.tsv"),
        "-o",
        str(folder / "run"),
        "--baselines",
        "all",
        "--resume",
        *OPTIONS,
        *task.options,
    ]
    if test is not None:
        test.to_csv(folder / "test.tsv", sep="\t", index=False)
        words += ["--test", str(folder / "test.tsv")]
    words += options
    began = time.monotonic()
    run_janusdna(*words, "--quiet")
    found = json.loads((folder / "run" / "report.json").read_text())
    counts = next(iter(found["sequences"].values()))
    return {
        "task": task.name,
        "metric": task.metric,
        **{method: _told(found["test"][method]["metrics"][task.metric]) for method in METHODS},
        "JanusDNA's paper": task.paper,
        "train": counts["train"] + counts["valid"],
        "test": len(train) if test is None else counts["test"],
        "shared": sum(found["shared"].values()),
        "s": time.monotonic() - began,
        "note": task.note,
        "command": shlex.join(["janusdna", *words]),
    }


def _some(rows: Rows, most: int) -> Rows:
    return rows.sample(min(most, len(rows)), random_state=1)


def _told(metric: dict[str, float]) -> str:
    return f"{metric['value']:.3f} [{metric['low']:.3f}, {metric['high']:.3f}]"


def main() -> None:
    """Run the tasks one after another."""
    parser = arguments(__doc__, "labels")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of the labelled data"
    )
    parser.add_argument("--runs", type=Path, default=Path("labels-runs"), help="where the trainings lie")
    parser.add_argument("--only", nargs="+", choices=[task.name for task in TASKS], help="these tasks")
    parser.add_argument("--most", type=int, help="at most so many sequences of each part, drawn at random")
    parser.add_argument(
        "--options", nargs=argparse.REMAINDER, default=[], help="of finetune, besides; the last"
    )
    given = parser.parse_args()
    rows: list[Row] = []
    for task in TASKS:
        if given.only is None or task.name in given.only:
            rows.append(run(task, given.data, given.runs, given.options, given.most))
            report(rows, given.json)


if __name__ == "__main__":
    main()
