"""The Nucleotide Transformer's tasks: MCC, F1 or accuracy.

    DATA/TASK/{train,test}.fna               headers end in |LABEL
    DATA/{train,test}.{parquet,tsv,tsv.gz}   columns sequence, name, label, task

Source: Dalla-Torre et al., Nature Methods 22:287 (2025); protocol and numbers: Duan et al., arXiv 2505.17257.
"""

from __future__ import annotations

from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.labelled.tables import read_frame
from janusdna_cli.suites.suite import Protocol, Suite, SuiteTask

__all__ = ["metric_of", "nucleotide_transformer"]

_MODELS = ("JanusDNA", "Caduceus-PH", "NT-v2 500M", "Enformer")
_PUBLISHED = {
    "H3": (0.835, 0.815, 0.784, 0.719),
    "H3K14ac": (0.729, 0.631, 0.551, 0.288),
    "H3K36me3": (0.702, 0.601, 0.625, 0.344),
    "H3K4me3": (0.688, 0.544, 0.410, 0.158),
}
_TABLES = (".parquet", ".tsv", ".tsv.gz", ".csv", ".csv.gz")
_PROTOCOL = Protocol(
    lr=(1e-3, 2e-3),
    batch=(128, 256, 512),
    seeds=tuple(range(1, 11)),
    epochs=20,
    options={"rc": "test"},
)


def metric_of(task: str) -> str:
    """By which a task's models are compared."""
    if task == "splice_sites_all":
        return "accuracy"
    return "f1" if task.startswith(("promoter", "splice_sites")) else "mcc"


def nucleotide_transformer(data: str) -> Suite:
    """The tasks that are there.

    Raises:
        InputError: If there is none.
    """
    folder = Path(data)
    files = {
        one.name: {"input": str(one / "train.fna"), "test": str(one / "test.fna")}
        for one in sorted(folder.glob("*"))
        if (one / "train.fna").exists() and (one / "test.fna").exists()
    }
    tables = [found for part in ("train", "test") if (found := _table(folder, part)) is not None]
    if not files and len(tables) == 2:
        train, test = map(str, tables)
        names = sorted(set(read_frame(train)["task"]))
        files = {name: {"input": train, "test": test, "where": f"task={name}"} for name in names}
    if not files:
        raise InputError(
            f"{data}: found no TASK/train.fna and TASK/test.fna, and no train.parquet and test.parquet, "
            "expected the Nucleotide Transformer's tasks"
        )
    return Suite(
        name="nucleotide-transformer",
        title="Nucleotide Transformer tasks",
        tasks=tuple(
            SuiteTask(
                name=name,
                files=where,
                metric=metric_of(name),
                published=dict(zip(_MODELS, _PUBLISHED.get(name, ()), strict=False)),
            )
            for name, where in files.items()
        ),
        protocol=_PROTOCOL,
    )


def _table(folder: Path, part: str) -> Path | None:
    return next((path for suffix in _TABLES if (path := folder / f"{part}{suffix}").exists()), None)
