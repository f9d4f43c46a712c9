"""Which parts of a genome are trained on, and which are kept to validate and test with."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.bed import Region, read_regions
from janusdna_cli.genome.contigs import ContigNames
from janusdna_cli.genome.streams import input_name
from janusdna_cli.genome.windows import Window

__all__ = [
    "SPLITS",
    "Interval",
    "Splits",
    "hold_out_blocks",
    "hold_out_contigs",
    "read_splits",
    "weight_of",
    "write_splits",
]

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Interval(Window):
    """Where windows may lie.

    Attributes:
        weight: How often its bases are wanted, against 1 for others.
    """

    weight: float = 1.0


# The intervals of each split, in their order.
Splits = dict[str, list[Interval]]

# As long as the published intervals; shorter where a genome would have fewer than this many.
_BLOCK = 1 << 20
_FEWEST_BLOCKS = 40

_log = logging.getLogger("janusdna")


def read_splits(source: str, lengths: Mapping[str, int], fasta: str) -> Splits:
    """The intervals of a BED whose fourth column is train, valid or test, and whose fifth is their weight.

    Where there is no fifth column, or a dot in it, the weight is 1.

    Args:
        source: A path, or "-" for stdin; plain, gzip or bgzip.
        lengths: Bases of each contig.
        fasta: The file that has them, for messages.

    Raises:
        InputError: The file cannot be read or has no interval.
        RecordError: A line is no interval of one of these contigs.
    """
    name = input_name(source)
    splits: Splits = {split: [] for split in SPLITS}
    names = ContigNames(lengths)
    for region in read_regions(source):
        contig = names.find(region.chrom)
        problem = _problem(region, contig, lengths, fasta)
        if problem is not None:
            raise RecordError(name, f"line {region.line}", problem)
        weight = weight_of(region, name)
        splits[str(region.name)].append(Interval(str(contig), region.start, region.end, weight))
    if not any(splits.values()):
        raise InputError(f"{name}: holds no interval, expected BED with train, valid or test in column 4")
    if splits["train"] and not any(one.weight for one in splits["train"]):
        raise InputError(
            f"{name}: column 5 is 0 in every interval to train on, expected how often each is wanted, such "
            "as 1; leave it out, or write dots, for all alike"
        )
    _note_overlaps(splits, name)
    return splits


def weight_of(region: Region, source: str) -> float:
    """The number in the fifth column of a BED line; 1 where there is none, or a dot.

    Raises:
        RecordError: It is no number of 0 or more.
    """
    written = region.extra[1] if len(region.extra) > 1 else "."
    if written == ".":
        return 1.0
    try:
        weight = float(written)
    except ValueError:
        weight = -1.0
    if not (isfinite(weight) and weight >= 0):
        found = f"found {written!r} in column 5, expected a weight, a number of 0 or more"
        raise RecordError(source, f"line {region.line}", found)
    return weight


def _problem(region: Region, contig: str | None, lengths: Mapping[str, int], fasta: str) -> str | None:
    other = f"the intervals are probably of another assembly than {fasta}"
    if region.name not in SPLITS:
        found = "no column 4" if region.name is None else f"{region.name!r} in column 4"
        return f"found {found}, expected train, valid or test"
    if contig is None:
        hint = ContigNames(lengths).hint(region.chrom) or _hint_of_genome(region.chrom, lengths)
        return f"{region.chrom} is no contig of {fasta}" + (f", {hint}" if hint else f"; {other}")
    if not 0 <= region.start <= region.end <= lengths[contig]:
        place = f"{region.chrom}:{region.start}-{region.end}"
        return f"{place} reaches outside the contig's {lengths[contig]:,} bases; {other}"
    return None


def _hint_of_genome(chrom: str, lengths: Mapping[str, int]) -> str | None:
    """What to do where a contig stands without the name of its genome, or with one too many."""
    for contig in lengths:
        if contig.endswith(f".{chrom}") or chrom.endswith(f".{contig}"):
            return f"it is called {contig} there: --fasta NAME=FASTA puts NAME before it"
    return None


def _note_overlaps(splits: Splits, source: str) -> None:
    for name in ("valid", "test"):
        shared = _shared_bases(splits["train"], splits[name])
        if shared:
            _log.warning(
                "%s: %s bases are both train and %s: what is measured on them says little",
                source, f"{shared:,}", name,
            )  # fmt: skip


def _shared_bases(one: list[Interval], other: list[Interval]) -> int:
    """Bases that lie in intervals of both."""
    turns: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for which, intervals in enumerate((one, other)):
        for interval in intervals:
            turns[interval.contig] += [(interval.start, which, 1), (interval.end, which, -1)]
    shared = 0
    for events in turns.values():
        depth, last = [0, 0], 0
        for at, which, change in sorted(events):
            shared += (at - last) * (min(depth) > 0)
            depth[which] += change
            last = at
    return shared


def hold_out_contigs(lengths: Mapping[str, int], valid: tuple[str, ...], fasta: str) -> Splits:
    """Whole contigs for validation, all others to train on.

    Raises:
        InputError: One is not there, or none is left.
    """
    names = ContigNames(lengths)
    held = {name: names.find(name) for name in valid}
    if missing := [name for name, found in held.items() if found is None]:
        there = ", ".join(list(lengths)[:5]) + (", ..." if len(lengths) > 5 else "")
        raise InputError(f"{fasta}: has no contig {missing[0]!r} to validate on, it has {there}")
    splits: Splits = {name: [] for name in SPLITS}
    for contig, length in lengths.items():
        splits["valid" if contig in held.values() else "train"].append(Interval(contig, 0, length))
    if not splits["train"]:
        raise InputError(f"{fasta}: every contig is held out for validation, none is left to train on")
    return splits


def hold_out_blocks(lengths: Mapping[str, int], window: int, share: float) -> Splits:
    """Blocks at equal distances over the whole genome for validation, all others to train on.

    Blocks are of 1,048,576 bases, or of so many windows that a small genome has 40 of them; the last of a
    contig is shorter. What is held out is never further from the share of the bases than a block, and
    depends on nothing but the contigs' lengths, `window` and `share`.

    Args:
        lengths: Bases of each contig.
        window: Bases of a window; what is shorter is left out.
        share: Of the bases, 0 to 1.
    """
    total = sum(lengths.values())
    size = max(window, min(_BLOCK, total // _FEWEST_BLOCKS // window * window))
    splits: Splits = {name: [] for name in SPLITS}
    seen = held = 0
    for block in _blocks(lengths, size, window):
        seen += len(block)
        # By bases, not by number: else contigs of a like length could have nothing held out but their ends.
        if seen * share - held >= size / 2:
            held += len(block)
            splits["valid"].append(block)
        else:
            splits["train"].append(block)
    return splits


def _blocks(lengths: Mapping[str, int], size: int, window: int) -> Iterator[Interval]:
    for contig, length in lengths.items():
        for start in range(0, length, size):
            if length - start >= window:
                yield Interval(contig, start, min(start + size, length))


def write_splits(splits: Splits, path: Path) -> None:
    """A BED that `read_splits` reads; it has weights where some are not 1."""
    weighed = any(one.weight != 1 for intervals in splits.values() for one in intervals)
    lines = [
        (one.contig, one.start, one.end, name, *([one.weight] if weighed else []))
        for name in SPLITS
        for one in splits.get(name, [])
    ]
    path.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines), "utf-8")
