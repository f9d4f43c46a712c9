"""What can be said of sequences with labels, whatever learns them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

from janusdna import MIN_LENGTH
from janusdna.labels import POOLS, STRANDS, Pool, Strands
from janusdna_cli.checks import check, number, one_of, paths, whole
from janusdna_cli.errors import InputError
from janusdna_cli.labelled.encoding import KindChoice
from janusdna_cli.outputs.names import stem
from janusdna_cli.reading.settings import DEVICE, LONGEST_WINDOW, Dtype, Kernels

__all__ = ["LabelSettings"]

_RULES = (
    number("valid_share", holds=lambda share: 0 <= share < 1, expected="0 or more, and less than 1"),
    whole("batch_bp", "threads", "max_train", low=1),
    whole("folds", low=2),
    whole("pad_to", "window", low=MIN_LENGTH, high=LONGEST_WINDOW),
    one_of("task", choices=get_args(KindChoice)),
    one_of("pool", choices=POOLS),
    one_of("rc", choices=STRANDS),
    one_of("dtype", choices=get_args(Dtype)),
    one_of("kernels", choices=get_args(Kernels)),
    DEVICE,
)


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """Sequences with labels.

    Attributes:
        input: A table, a FASTA, a BED or VCF with `fasta`, or a folder of GenomicBenchmarks.
        output: The run's folder; None for `<input stem>.janusdna-run`.
        fasta: The genome of a BED, a VCF or a folder of coordinates.
        label: Column of the labels, several with commas between; INFO/NAME of a VCF; None for `label`.
        test: Another input that is tested on.
        model: Whose network, as `--model` takes; None for the bundled one.
        task: Kind of the labels; "auto" to tell it by what they are.
        pool: As in `janusdna.labels.LabelTask`.
        rc: Which strands are read: drawn in training and both in prediction ("test"), "both", "none", or the
            given one in training and both in prediction ("predict").
        window: Bases around a variant; None for the length the model was trained on.
        pad_to: Length to which sequences are padded on the left and cut; None for as they are.
        valid_share: Share of the sequences that is held out, drawn at random.
        split: Column that says train, valid or test.
        split_by: "contig" to hold out whole contigs.
        folds: Parts of which each is tested once, by what has not seen it.
        seeds: Of all chance: once for each.
        where: Rows of a table that are wanted, as "COLUMN=VALUE"; None for all.
        max_train: Sequences to learn from at most, drawn by the seed, as many of each class as there are in
            all; None for all.
        reference_too: Of DNALongBench's eQTLs, whether REF is read beside ALT.
        strict: Whether sequences that two parts share end the run.
        device, dtype, kernels, batch_bp, threads, overwrite, quiet: As in `PretrainSettings`.

    Raises:
        InputError: If a number makes no sense, or two options say the same.
    """

    # What may differ between a run and its resumption: it moves work and memory about, not what is learned.
    free: ClassVar[frozenset[str]] = frozenset(
        ["input", "output", "fasta", "test", "overwrite", "quiet", "strict", "device", "batch_bp", "threads"]
    )

    input: str
    output: str | None = None
    fasta: str | None = None
    label: str | None = None
    test: str | None = None
    model: str | None = None
    task: KindChoice = "auto"
    pool: Pool = "mean"
    rc: Strands = "test"
    window: int | None = None
    pad_to: int | None = None
    valid_share: float = 0.1
    split: str | None = None
    split_by: str | None = None
    folds: int | None = None
    seeds: tuple[int, ...] = (1,)
    where: str | None = None
    max_train: int | None = None
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
        paths(self, "input", "output", "fasta", "test", "model")
        check(self, *_RULES)
        if self.split_by not in (None, "contig"):
            raise InputError(f"--split-by: found {self.split_by!r}, expected contig")
        if sum(choice is not None for choice in (self.split, self.split_by, self.folds)) > 1:
            raise InputError("--split, --split-by and --folds: each says what is held out; pass one")
        if self.where is not None and "=" not in self.where:
            raise InputError(f"--where: found {self.where!r}, expected COLUMN=VALUE")
        if self.folds is not None and self.test is not None:
            raise InputError("--folds and --test: both say what is tested; pass one")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise InputError("--seeds: expected different whole numbers, 0 or more")

    @property
    def row_filter(self) -> tuple[str, str] | None:
        """Column and value of the rows that are wanted."""
        if self.where is None:
            return None
        column, _, value = self.where.partition("=")
        return column, value

    @property
    def folder(self) -> Path:
        """The run's."""
        return Path(self.output or f"{stem(self.input)}.janusdna-run")

    def binding(self) -> dict[str, Any]:
        """What a resumption must have in common with its run."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in self.free}
