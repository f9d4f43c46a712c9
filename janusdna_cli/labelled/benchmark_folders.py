"""Folders as GenomicBenchmarks lays them out, with coordinates or with one sequence a file.

    TASK/{train,test}/CLASS.csv.gz     columns id, region, start, end, strand: genome[region][start:end]
    TASK/{train,test}/CLASS/ID.txt     one sequence each

Classes are numbered in the order of their names. Source: Gresova et al., BMC Genomic Data 24:25 (2023).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.labelled.item import Item
from janusdna_cli.labelled.strands import reverse_complement

__all__ = ["read_folder"]

_PARTS = ("train", "test")
_COLUMNS = ["id", "region", "start", "end", "strand"]


def read_folder(path: str, genome: Reference | None) -> Iterator[Item]:
    """The sequences of a folder: train before test, class by class.

    Args:
        path: The folder.
        genome: Where it holds coordinates, whose they are.

    Raises:
        InputError: It is laid out in neither way, or a genome is missing or is another one.
    """
    folder = Path(path)
    files = [(part, found) for part in _PARTS for found in sorted((folder / part).glob("*.csv.gz"))]
    if files:
        if genome is None:
            raise InputError(f"{path}: holds coordinates, not bases; pass their genome with -f")
        for part, found in files:
            yield from _coordinates(found, part, found.name.removesuffix(".csv.gz"), genome)
        return
    classes = [
        (part, found) for part in _PARTS for found in sorted((folder / part).glob("*")) if found.is_dir()
    ]
    if not classes:
        raise InputError(
            f"{path}: found no train/CLASS.csv.gz and no train/CLASS/ID.txt in it, expected GenomicBenchmarks"
        )
    for part, found in classes:
        yield from _texts(found, part)


def _coordinates(path: Path, part: str, label: str, genome: Reference) -> Iterator[Item]:
    table = pd.read_csv(path, dtype={"id": str, "region": str, "strand": str})
    if missing := [name for name in _COLUMNS if name not in table.columns]:
        raise InputError(f"{path}: no column {missing[0]}, expected {', '.join(_COLUMNS)}")
    for number, (name, region, start, end, strand) in enumerate(
        table[_COLUMNS].itertuples(index=False), start=2
    ):
        contig, bases, status = genome.find(region), "", "ok"
        if contig is None:
            status = "no_contig"
        elif not 0 <= start < end <= genome.lengths[contig]:
            status = "out_of_contig"
        else:
            bases = genome.fetch(contig, int(start), int(end)).decode("ascii")
            bases = reverse_complement(bases) if strand == "-" else bases
        keys = {"id": f"{part}/{label}/{name}"}  # each file numbers its own
        yield Item(
            f"{path}: line {number}", keys, bases, label=label, contig=region, part=part, status=status
        )


def _texts(folder: Path, part: str) -> Iterator[Item]:
    for path in sorted(folder.glob("*.txt")):
        bases = path.read_text("ascii", "replace").strip()
        keys = {"id": f"{part}/{folder.name}/{path.stem}"}
        status = "ok" if bases else "empty"
        yield Item(str(path), keys, bases, label=folder.name, part=part, status=status)
