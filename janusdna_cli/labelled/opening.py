"""Whichever format an input has, its items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.streams import InputStream
from janusdna_cli.labelled.benchmark_folders import read_folder
from janusdna_cli.labelled.eqtl import read_eqtls
from janusdna_cli.labelled.fasta import read_fasta
from janusdna_cli.labelled.intervals import read_intervals
from janusdna_cli.labelled.item import Item, KeyKind
from janusdna_cli.labelled.tables import is_parquet, read_table
from janusdna_cli.labelled.variants import read_variants
from janusdna_cli.reading.settings import FALLBACK_WINDOW

__all__ = ["Source", "kind_of", "open_items"]

_LABEL = "label"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where sequences come from.

    Attributes:
        path: A table, a FASTA, a BED, a VCF, a folder of GenomicBenchmarks, or a configuration of
            DNALongBench's eQTLs; "-" for a table from stdin.
        genome: That of a BED, a VCF or a folder of coordinates.
        label: Column of the labels, several with commas between; a number of a BED's, INFO/NAME of a VCF;
            None for "label".
        part: Column that says which part an item belongs to.
        where: Column and value of the rows of a table that are wanted; None for all.
        reference_too: Of eQTLs, whether REF is read beside ALT.
        labelled: Whether labels are wanted.
        window: Bases around a variant.
    """

    path: str
    genome: Reference | None = None
    label: str | None = None
    part: str | None = None
    where: tuple[str, str] | None = None
    reference_too: bool = False
    labelled: bool = True
    window: int = FALLBACK_WINDOW

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Names of the labels."""
        return tuple(name.strip() for name in (self.label or _LABEL).split(","))


def open_items(source: Source) -> Iterator[Item]:
    """The items of an input in its order.

    Raises:
        InputError: The input cannot be read, or it needs a genome and has none.
    """
    label = (source.label or _LABEL) if source.labelled else None
    kind = _format(source.path)
    if kind == "folder":
        return read_folder(source.path, source.genome)
    for option, name in (("--split", source.part), ("--where", source.where)):
        if name is not None and kind != "table":
            raise InputError(f"{source.path}: {option}: only tables have columns of that kind")
    if kind == "eqtl":
        return read_eqtls(source.path, source.genome, reference_too=source.reference_too)
    if kind == "fasta":
        return read_fasta(source.path, labelled=source.labelled)
    if kind == "vcf":
        return read_variants(source.path, _genome(source, "VCF"), label=label, window=source.window)
    if kind == "bed":
        return read_intervals(source.path, _genome(source, "BED"), label=label)
    return read_table(source.path, label=label, part=source.part, where=source.where)


def _genome(source: Source, form: str) -> Reference:
    if source.genome is None:
        raise InputError(f"{source.path}: is a {form}, which has no bases; pass its genome with -f")
    return source.genome


def kind_of(path: str) -> KeyKind:
    """What the items of an input are told by."""
    kinds: dict[str, KeyKind] = {"bed": "region", "vcf": "variant"}
    return kinds.get(_format(path), "sequence")


def _format(path: str) -> str:
    if path != "-" and Path(path).is_dir():
        return "folder"
    return "table" if is_parquet(path) else _kind(path)


def _kind(path: str) -> str:
    """A text's format, by its first line that says something."""
    if path == "-":
        return "table"
    with InputStream(path) as stream:
        head = stream.peek(1 << 16)
    if head.startswith((b"##fileformat=VCF", b"BCF")):
        return "vcf"
    if b"eQTL_file" in head:
        return "eqtl"
    for line in head.splitlines():
        if not line.strip() or line.startswith((b"#", b"track", b"browser")):
            continue
        if line.startswith(b">"):
            return "fasta"
        fields = line.split(b"\t")
        is_region = len(fields) >= 3 and all(field.strip().isdigit() for field in fields[1:3])
        return "bed" if is_region else "table"
    return "table"
