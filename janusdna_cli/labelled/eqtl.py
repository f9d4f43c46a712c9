"""DNALongBench's eQTLs: a gene's start and a variant in one sequence of up to 450,000 bases.

    gtex_hg38.TISSUE.config            lines of a key, a value and its type
    targets/TISSUE.data.tsv            a gene and a variant a line, coordinates 0-based half-open
    blacklist/TISSUE.blacklist.bed.gz  all eQTLs, bgzipped and indexed

A sequence begins upstream of the one and ends downstream of the other; other eQTLs in between are N; ALT
is in the place of REF; it is turned so that the gene comes first, and padded on the right with N.

Source: Cheng et al., DNALongBench, Nature Communications 16 (2025), and its published loader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pysam

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.streams import InputStream
from janusdna_cli.labelled.item import Item
from janusdna_cli.labelled.strands import reverse_complement

__all__ = ["DISTANCE", "EqtlConfig", "read_config", "read_eqtls"]

DISTANCE = "distance"
_PARTS = {"train", "valid", "test"}
_LABELS = {"positive", "negative"}
_COLUMNS = (
    "gene_chrom", "gene_start", "gene_end", "gene_strand", "region_chrom", "region_start", "region_end",
    "target", "subset", "allele1", "allele2",
)  # fmt: skip


@dataclass(frozen=True)
class EqtlConfig:
    """What a tissue's configuration says.

    Attributes:
        targets: The table of genes and variants.
        mask: All eQTLs, bgzipped and indexed; None where the configuration names none.
        genome: The FASTA that it names; None for none.
        gene_flanks, region_flanks: Bases kept before and after a gene's start, and a variant.
        longest: Bases of a sequence.
    """

    targets: Path
    mask: Path | None
    genome: Path | None
    gene_flanks: tuple[int, int]
    region_flanks: tuple[int, int]
    longest: int


def read_config(path: str) -> EqtlConfig:
    """A tissue's configuration; files that it names are looked for as it says, then beside it.

    Raises:
        RecordError: If a line is none of a configuration.
        InputError: If a key or a file is missing.
    """
    values: dict[str, str] = {}
    with InputStream(path) as stream:
        for number, line in stream.lines():
            fields = line.decode("utf-8", "surrogateescape").split()
            if not fields or fields[0].startswith("#"):
                continue
            if len(fields) < 2:
                raise RecordError(
                    path, f"line {number}", f"found {fields[0]!r} alone, expected a key and a value"
                )
            values[fields[0]] = fields[1]
    if "eQTL_file" not in values:
        raise InputError(f"{path}: found no key eQTL_file, expected a configuration of DNALongBench's eQTLs")
    mask = values.get("eQTL_tabix_file")
    genome = values.get("genome_fa")
    return EqtlConfig(
        _found(path, values["eQTL_file"]),
        None if mask in (None, "None") else _found(path, str(mask)),
        None if genome in (None, "None") else _beside(path, str(genome)),
        (
            _bases(path, values, "tss_flank_upstream", 3000),
            _bases(path, values, "tss_flank_downstream", 3000),
        ),
        (
            _bases(path, values, "region_flank_upstream", 500),
            _bases(path, values, "region_flank_downstream", 500),
        ),
        _bases(path, values, "seq_len_cutoff", 450_000),
    )


def read_eqtls(path: str, genome: Reference | None, *, reference_too: bool) -> Iterator[Item]:
    """The pairs of a gene and a variant of a tissue, in the order of its table.

    Args:
        path: The configuration.
        genome: Whose coordinates they are.
        reference_too: Whether the sequence with REF is read, and that with ALT is the alternative.

    Raises:
        InputError: If a file is missing, or there is no genome.
        RecordError: If a line is not what it should be.
    """
    config = read_config(path)
    if genome is None:
        hint = "" if config.genome is None else f" (the configuration names {config.genome.name})"
        raise InputError(f"{path}: has no bases; pass their genome with -f{hint}")
    table = pd.read_csv(config.targets, sep="\t", dtype=str, keep_default_na=False)
    if missing := [name for name in _COLUMNS if name not in table.columns]:
        raise InputError(f"{config.targets}: no column {missing[0]}, expected {', '.join(_COLUMNS)}")
    mask = None if config.mask is None else pysam.TabixFile(str(config.mask))
    try:
        for line, values in enumerate(table.itertuples(index=False, name=None), 2):
            row = dict(zip(map(str, table.columns), values, strict=True))
            yield _Pair(config, str(config.targets), line, row).item(
                genome, mask, reference_too=reference_too
            )
    finally:
        if mask is not None:
            mask.close()


class _Pair:
    """A gene and a variant.

    Args:
        config: Of the tissue.
        path: The table, for messages.
        line: Of it.
        row: What it says.
    """

    def __init__(self, config: EqtlConfig, path: str, line: int, row: dict[str, str]) -> None:
        self._config, self._path, self._place, self._row = config, path, f"line {line}", row
        self.chrom = row["region_chrom"]
        gene, region = self._interval("gene"), self._interval("region")
        self.tss = gene[0] if row["gene_strand"] == "+" else gene[1] - 1
        upstream, downstream = config.gene_flanks
        self._near_gene = (self.tss - upstream, self.tss + 1 + downstream)
        before, after = config.region_flanks
        self._near_region = (region[0] - before, region[1] + after)
        self.region = region
        self.start = min(self._near_gene[0], self._near_region[0])
        self.end = max(self._near_gene[1], self._near_region[1])
        if row["target"] not in _LABELS or row["subset"] not in _PARTS:
            found = f"target {row['target']!r} and subset {row['subset']!r}"
            raise self._error(f"found {found}, expected positive or negative, and train, valid or test")

    def _interval(self, name: str) -> tuple[int, int]:
        start, end = self._row[f"{name}_start"], self._row[f"{name}_end"]
        if not (start.isdecimal() and end.isdecimal() and int(start) < int(end)):
            raise self._error(f"found {name} {start}-{end}, expected a start before an end")
        return int(start), int(end)

    def _error(self, problem: str) -> RecordError:
        return RecordError(self._path, self._place, problem)

    @property
    def gap(self) -> tuple[int, int]:
        """Between what is kept of the gene and of the variant; empty where they touch."""
        first, second = sorted((self._near_gene, self._near_region))
        return (first[1], second[0]) if first[1] < second[0] else (first[1], first[1])

    def item(self, genome: Reference, mask: pysam.TabixFile | None, *, reference_too: bool) -> Item:
        """Its sequence, or why there is none."""
        row = self._row
        named = (
            row.get("gene_id") or f"{self.chrom}:{self.tss}",
            row.get("region_id") or str(self.region[0]),
        )
        keys = {"id": ":".join(named)}
        contig = genome.find(self.chrom)
        gap = self.gap
        status = "ok"
        if row["gene_chrom"] != self.chrom or gap[1] - gap[0] > self._config.longest:
            status = "too_long"
        elif contig is None:
            status = "no_contig"
        elif self.end > genome.lengths[contig]:
            status = "out_of_contig"
        if status != "ok" or contig is None:
            return Item(
                self._place,
                keys,
                "",
                label=row["target"],
                contig=self.chrom,
                part=row["subset"],
                status=status,
            )
        ref, alt = self._sequences(genome, contig, mask)
        return Item(
            self._place,
            keys,
            ref if reference_too else alt,
            alternative=alt if reference_too else None,
            label=row["target"],
            contig=self.chrom,
            part=row["subset"],
            columns={DISTANCE: abs(self.region[0] - self.tss)},
        )

    def _sequences(self, genome: Reference, contig: str, mask: pysam.TabixFile | None) -> tuple[str, str]:
        """With REF and with ALT, turned and padded."""
        start, row = max(0, self.start), self._row
        bases = bytearray(genome.fetch(contig, start, self.end))
        if mask is not None and self.chrom in mask.contigs:
            low, high = self.gap
            for other in mask.fetch(self.chrom, low, high) if low < high else ():
                first, last = (int(field) for field in other.split("\t")[1:3])
                for at in range(max(first, low), min(last, high)):
                    bases[at - start] = ord("N")
        at, ref = self.region[0] - start, row["allele1"].encode()
        found = bytes(bases[at : at + len(ref)]).upper()
        if found != ref.upper():
            raise self._error(
                f"allele1 is {row['allele1']}, found {found.decode()} at {self.chrom}:{self.region[0] + 1}; "
                "is this the genome of the table?"
            )
        alt = bases[:at] + row["allele2"].encode() + bases[at + len(ref) :]
        turned = self.tss > self.region[0]
        ends = [
            reverse_complement(one.decode("ascii")) if turned else one.decode("ascii") for one in (bases, alt)
        ]
        longest = self._config.longest
        ref_bases, alt_bases = (one[:longest].ljust(longest, "N") for one in ends)
        return ref_bases, alt_bases


def _bases(path: str, values: dict[str, str], key: str, default: int) -> int:
    text = values.get(key, str(default))
    if not text.isdecimal():
        raise InputError(f"{path}: {key} is {text!r}, expected a whole number of bases")
    return int(text)


def _beside(path: str, name: str) -> Path:
    """As a configuration names it, else beside it."""
    return Path(name) if Path(name).exists() else Path(path).parent / name


def _found(path: str, name: str) -> Path:
    found = _beside(path, name)
    if not found.exists():
        raise InputError(f"{path}: names {name}, which is neither there nor at {found}")
    return found
