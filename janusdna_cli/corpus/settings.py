"""What `corpus` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from pathlib import Path

from janusdna_cli.checks import check, many_paths, number, paths, texts, whole
from janusdna_cli.errors import InputError

__all__ = ["CorpusSettings"]

_RULES = (
    number("valid_share", holds=lambda share: 0 <= share < 1, expected="0 or more, and less than 1"),
    number("gene_weight", holds=lambda weight: 0 < weight < inf, expected="more than 0"),
    number("repeat_weight", holds=lambda weight: 0 <= weight < inf, expected="0 or more"),
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
        repeat_weight: What a base of a repeat counts in the loss, where others count 1.
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
    gene_weight: float = 10.0
    flank: int = 256
    repeat_weight: float = 0.1
    overwrite: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        many_paths(self, "fasta")
        many_paths(self, "genes", fewest=0)
        paths(self, "output", "intervals")
        texts(self, "valid_contigs", "hold_out")
        check(self, *_RULES)
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
