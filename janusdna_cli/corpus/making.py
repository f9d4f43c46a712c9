"""The task: genomes and their genes to the tables that pretraining takes.

genes -> stretches of kinds; exons -> an index; pieces of contigs -> the kind of each base -> two BEDs, a JSON
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

import janusdna
from janusdna_cli.corpus.annotation import read_annotation
from janusdna_cli.corpus.codes import Mask, filled, runs
from janusdna_cli.corpus.kinds import GENE_KINDS, Kind
from janusdna_cli.corpus.painting import MARGIN, Painter
from janusdna_cli.corpus.pieces import Piece, pieces
from janusdna_cli.corpus.planning import LEFT_OUT, SplitMap, plan
from janusdna_cli.corpus.settings import CorpusSettings
from janusdna_cli.corpus.summary import Counts
from janusdna_cli.corpus.tables import Lines
from janusdna_cli.errors import InputError
from janusdna_cli.genome.bgzip import with_random_access
from janusdna_cli.genome.genomes import GenomeFile, Genomes, genome_file
from janusdna_cli.genome.splits import SPLITS
from janusdna_cli.outputs.destinations import check_destination, reported, written_aside
from janusdna_cli.outputs.documents import write_json
from janusdna_cli.runtime.progress import progress

__all__ = ["CorpusSettings", "make_corpus"]

INTERVALS, WEIGHTS, SUMMARY = "intervals.bed", "weights.bed", "corpus.json"

_log = logging.getLogger("janusdna")


def make_corpus(settings: CorpusSettings) -> Path:
    """Write the tables.

    Returns:
        Their folder.

    Raises:
        InputError: If a file cannot be read or written, or there is nothing to train on.
        RecordError: If a line of one is at fault.
    """
    folder = settings.folder
    with reported(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    for name in (INTERVALS, WEIGHTS, SUMMARY):
        check_destination(str(folder / name), overwrite=settings.overwrite)
    with Genomes([_readable(given) for given in settings.fasta]) as genomes:
        splits = SplitMap(plan(settings, genomes))
        annotation = read_annotation([genome_file(given) for given in settings.genes], genomes)
        counts = _write_tables(settings, genomes, Painter(genomes, annotation), splits)
    record = {"kind": "janusdna corpus", "version": janusdna.__version__, "command": sys.argv}
    write_json(folder / SUMMARY, record | {"contents": counts.as_json()})
    counts.tell()
    _log.info("-> %s, %s", folder / INTERVALS, folder / WEIGHTS)
    return folder


def _readable(given: str) -> GenomeFile:
    file = genome_file(given)
    return GenomeFile(with_random_access(file.path), file.name)


def _write_tables(settings: CorpusSettings, genomes: Genomes, painter: Painter, splits: SplitMap) -> Counts:
    counts = Counts(settings.gene_weight)
    names = genomes.genomes
    with (
        _lines(settings, INTERVALS, _interval_columns(settings)) as intervals,
        _lines(settings, WEIGHTS, _weight_columns(settings)) as weights,
        progress("Painting", sum(genomes.lengths.values()), "bases", quiet=settings.quiet) as bar,
    ):
        for piece in _taken(genomes, settings.flank + MARGIN):
            numbers = splits.numbers(piece.contig, piece.own.start, piece.own.end)
            if (numbers != LEFT_OUT).any():
                kinds, is_often = _painted(piece, painter, settings.flank)
                numbers[~piece.sequence[piece.inner]] = LEFT_OUT
                is_in = numbers != LEFT_OUT
                intervals.add(piece.contig, piece.own.start, numbers * 2 + is_often)
                weights.add(piece.contig, piece.own.start, np.where(is_in, kinds, len(Kind)))
                counts.add(names[piece.contig], numbers[is_in], kinds[is_in], is_often[is_in])
            bar.advance(len(piece.own), len(piece.own))
        if not counts.has("train"):
            raise InputError(
                f"{', '.join(settings.fasta)}: found nothing to train on, expected A, C, G, T "
                "that are not held out"
            )
    return counts


def _taken(genomes: Genomes, margin: int) -> Iterator[Piece]:
    for contig in genomes.lengths:
        yield from pieces(genomes, contig, margin)


def _painted(piece: Piece, painter: Painter, flank: int) -> tuple[npt.NDArray[np.uint8], Mask]:
    """The `Kind` of each base of a piece, and whether it is read often, (T,) each."""
    kinds = painter.paint(piece)
    starts, ends = runs(np.isin(kinds, GENE_KINDS))
    size = len(kinds)
    is_often = filled(size, np.maximum(starts - flank, 0), np.minimum(ends + flank, size))
    return kinds[piece.inner], is_often[piece.inner]


@contextmanager
def _lines(settings: CorpusSettings, name: str, columns: dict[int, str]) -> Iterator[Lines]:
    """A table that is there under its name when all is written."""
    path = str(settings.folder / name)
    with (
        written_aside(path, overwrite=settings.overwrite) as aside,
        reported(path),
        aside.open("w", encoding="utf-8") as file,
    ):
        lines = Lines(file.write, columns)
        yield lines
        lines.finish()


def _interval_columns(settings: CorpusSettings) -> dict[int, str]:
    """By twice the number of the split, and 1 more for what is read often."""
    weights = ("1", f"{settings.gene_weight:g}")
    return {
        2 * number + often: f"{split}\t{weight}"
        for number, split in enumerate(SPLITS)
        for often, weight in enumerate(weights)
    }


def _weight_columns(settings: CorpusSettings) -> dict[int, str]:
    return {kind.value: f"{kind.name}\t{settings.loss_weight(kind):g}" for kind in Kind}
