"""What `benchmark` can be told. No PyTorch here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, get_args

from janusdna_cli.checks import Rule, check, one_of, paths, whole
from janusdna_cli.errors import InputError
from janusdna_cli.finetuning.settings import Baselines, FinetuneSettings
from janusdna_cli.reading.settings import DEVICE, Dtype, Kernels

__all__ = ["SUITES", "BenchmarkSettings", "SuiteName"]

SuiteName = Literal["genomic-benchmarks", "nucleotide-transformer", "eqtl"]
SUITES: tuple[SuiteName, ...] = get_args(SuiteName)
_RULES = (
    one_of("suite", choices=SUITES),
    one_of("baselines", choices=get_args(Baselines)),
    one_of("dtype", choices=(*get_args(Dtype),)),
    one_of("kernels", choices=get_args(Kernels)),
    whole("epochs", "max_train", "batch_bp", "threads", "pad_to", low=1),
    Rule(
        ("workers",),
        lambda value: value == "auto" or (type(value) is int and value > 0),
        "a whole number, 1 or more, or auto",
    ),
    DEVICE,
)
# Fields that go to every training as they are.
_HANDED_ON = (
    "model", "from_scratch", "train", "head", "pool", "max_train", "pad_to", "reference_too", "device",
    "kernels", "batch_bp", "strict",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BenchmarkSettings:
    """What `benchmark SUITE` does.

    Attributes:
        suite: Which.
        data: The folder of its published files.
        output: Where trainings and the table go; None for `<suite>.janusdna-run`.
        fasta: The genome of coordinates.
        tasks: Names of those that are run; empty for all that are there.
        seeds, lr, batch: Tried instead of the suite's; empty for those.
        epochs: Instead of the suite's.
        dtype: What products are computed in; "auto" for the suite's.
        workers: Trainings side by side; "auto" for one a GPU, or one.
        baselines, model, from_scratch, train, head, pool, max_train, pad_to, reference_too, strict: As in
            `FinetuneSettings`.
        device, kernels, batch_bp, threads, overwrite, quiet: As in `PretrainSettings`.

    Raises:
        InputError: If a value means nothing.
    """

    suite: SuiteName
    data: str
    output: str | None = None
    fasta: str | None = None
    tasks: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    lr: tuple[float, ...] = ()
    batch: tuple[int, ...] = ()
    epochs: int | None = None
    workers: int | Literal["auto"] = "auto"
    baselines: Baselines = FinetuneSettings.baselines
    model: str | None = None
    from_scratch: bool = False
    train: str = FinetuneSettings.train
    head: Any = FinetuneSettings.head
    pool: Any = FinetuneSettings.pool
    max_train: int | None = None
    pad_to: int | None = None
    reference_too: bool = False
    strict: bool = False
    device: str = "auto"
    dtype: Dtype = "auto"
    kernels: Kernels = "auto"
    batch_bp: int | None = None
    threads: int | None = None
    overwrite: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        paths(self, "data", "output", "fasta", "model")
        check(self, *_RULES)
        if not all(0 < rate < inf for rate in self.lr) or not all(size > 0 for size in self.batch):
            raise InputError("--lr and --batch: expected numbers of more than 0")

    def handed_on(self) -> dict[str, Any]:
        """What every training takes as it is."""
        return {name: getattr(self, name) for name in _HANDED_ON}

    def binding(self) -> dict[str, Any]:
        """What the table says it was made with."""
        left_out = {"data", "output", "fasta", "overwrite", "quiet", "workers", "threads"}
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in left_out}
