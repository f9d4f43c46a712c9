"""Which split each base belongs to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from janusdna_cli.corpus.settings import CorpusSettings
from janusdna_cli.corpus.stretches import Stretches
from janusdna_cli.errors import InputError
from janusdna_cli.genome.genomes import Genomes
from janusdna_cli.genome.splits import (
    SPLITS,
    Interval,
    Splits,
    hold_out_blocks,
    hold_out_contigs,
    read_splits,
)

__all__ = ["LEFT_OUT", "SplitMap", "plan"]

# The number of no split; others' are their places in SPLITS.
LEFT_OUT = len(SPLITS)


class SplitMap:
    """The split of each base; where intervals overlap it is held out.

    Args:
        splits: The intervals of each.
    """

    def __init__(self, splits: Splits) -> None:
        self._stretches: dict[tuple[str, int], Stretches] = {}
        for number, name in enumerate(SPLITS):
            for interval in splits[name]:
                own = self._stretches.setdefault((interval.contig, number), Stretches())
                own.add(interval.start, interval.end)

    def numbers(self, contig: str, start: int, end: int) -> npt.NDArray[np.uint8]:
        """The number of each base's split, of [start, end), 0-based, (end - start,)."""
        found = np.full(end - start, LEFT_OUT, np.uint8)
        for number in range(len(SPLITS)):
            if (contig, number) in self._stretches:
                found[self._stretches[contig, number].mask(start, end)] = number
        return found


def plan(settings: CorpusSettings, genomes: Genomes) -> Splits:
    """The intervals of each split, over all of the genomes or what `intervals` names.

    Raises:
        InputError: What is held out is not there, or nothing is left to train on.
    """
    fasta = ", ".join(settings.fasta)
    test = _held_out(settings, genomes)
    rest = {contig: length for contig, length in genomes.lengths.items() if contig not in test}
    if not rest:
        raise InputError("--hold-out: every genome is held out, none is left to train on")
    if settings.intervals is not None:
        splits = read_splits(settings.intervals, genomes.lengths, fasta)
        splits = {name: [one for one in own if one.contig in rest] for name, own in splits.items()}
    elif settings.valid_contigs:
        splits = hold_out_contigs(rest, settings.valid_contigs, fasta)
    else:
        splits = hold_out_blocks(rest, 1, settings.valid_share)
    splits["test"] += [Interval(contig, 0, length) for contig, length in test.items()]
    return splits


def _held_out(settings: CorpusSettings, genomes: Genomes) -> Mapping[str, int]:
    """The contigs of genomes that are all test, with their lengths."""
    names = set(genomes.genomes.values())
    for name in settings.hold_out:
        if name not in names or not name:
            there = ", ".join(sorted(filter(None, names))) or "none has a name: pass --fasta NAME=FASTA"
            raise InputError(f"--hold-out: found {name!r}, expected the name of a genome: {there}")
    return {
        contig: genomes.lengths[contig]
        for contig, name in genomes.genomes.items()
        if name in settings.hold_out
    }  # fmt: skip
