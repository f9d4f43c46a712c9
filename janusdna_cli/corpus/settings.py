"""What `corpus` can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from janusdna_cli.checks import check, many_paths, number, paths, texts, whole
from janusdna_cli.corpus.kinds import Kind
from janusdna_cli.errors import InputError

__all__ = ["LOSS_WEIGHTS", "CorpusSettings"]

LOSS_WEIGHTS = {"site": 50.0, "repeat": 0.3}
"""What a base of a kind counts in the loss unless told otherwise; of all other kinds 1."""

_RULES = (
    number("valid_share", holds=lambda share: 0 <= share < 1, expected="0 or more, and less than 1"),
    number("gene_weight", holds=lambda weight: 0 < weight < inf, expected="more than 0"),
    whole("flank", low=0, unit="bases"),
)


@dataclass(frozen=True, kw_only=True)
class CorpusSettings:
    """The tables that tell pretraining what to learn from.

    Attributes:
        fasta: `FASTA` or `NAME=FASTA`, one or several: plain, bgzip, or plain gzip, which is converted once.
        genes: `FILE` or `NAME=FILE`, none or several: GTF, GFF3 or genePred.
        output: The folder.
        intervals: BED of what is taken, its fourth column train, valid or test.
        valid_contigs: Contigs held out where there are no intervals.
        valid_share: Share of the genomes held out, in blocks, where there are neither.
        hold_out: Names of genomes that are all test.
        gene_weight: How often a base of a gene is read, where others are once.
        flank: Bases on each side of those of genes that are read as often.
        loss_weights: What a base counts in the loss, by the name of its `Kind`; `LOSS_WEIGHTS` for kinds that
            are not there.
        overwrite: Replace tables that are there.
        quiet: Say nothing but warnings and errors.

    Raises:
        InputError: If a value means nothing.
    """

    fasta: tuple[str, ...]
    output: str
    genes: tuple[str, ...] = ()
    intervals: str | None = None
    valid_contigs: tuple[str, ...] = ()
    valid_share: float = 0.05
    hold_out: tuple[str, ...] = ()
    gene_weight: float = 30.0
    flank: int = 256
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    overwrite: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        many_paths(self, "fasta")
        many_paths(self, "genes", fewest=0)
        paths(self, "output", "intervals")
        texts(self, "valid_contigs", "hold_out")
        check(self, *_RULES)
        _check_loss_weights(self.loss_weights)
        if not isinstance(self.output, str):
            raise InputError(f"--output: found {self.output!r}, expected a folder")
        if self.intervals is not None and self.valid_contigs:
            raise InputError("--intervals and --valid-contigs: both say what is held out; pass one")
        if [*self.genes, self.intervals].count("-") > 1:
            raise InputError("--genes and --intervals: found - twice, standard input can be read once")

    @property
    def folder(self) -> Path:
        """Of the tables."""
        return Path(self.output)

    def loss_weight(self, kind: Kind) -> float:
        """What a base of a kind counts in the loss."""
        return self.loss_weights.get(kind.name, LOSS_WEIGHTS.get(kind.name, 1.0))


def _check_loss_weights(weights: Mapping[str, float]) -> None:
    names = [kind.name for kind in Kind]
    for name, weight in weights.items():
        if name not in names:
            raise InputError(f"--loss-weight: found a kind {name!r}, expected {', '.join(names)}")
        if not isinstance(weight, int | float) or not 0 <= weight < inf:
            raise InputError(f"--loss-weight {name}: found {weight!r}, expected 0 or more")
