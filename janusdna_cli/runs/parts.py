"""Parts of a table, as shards of a run leave them: Parquet files that know of which run they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.streams import open_file
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.parquet import METADATA_KEY, bounded_checksums
from janusdna_cli.outputs.parquet_reading import ParquetReader
from janusdna_cli.runs.identity import check_same, digest_of_lengths
from janusdna_cli.runs.rows import NUMBER
from janusdna_cli.runs.shards import Shard

__all__ = ["Parts", "check_complete", "open_parts", "part_facts"]


def part_facts(shard: Shard, rows: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the metadata of a part say besides those of any table.

    Args:
        shard: Which.
        rows: Of the whole table.
        facts: What the run was started with.
    """
    files = {name: facts[name] for name in ("source", "reference")}
    return {"part": {"index": shard.index, "count": shard.count, "rows": rows, **files}}


def check_complete(output: str, form: Format, identity: Mapping[str, Any]) -> None:
    """Whether an output is that of a run.

    Raises:
        InputError: If not, or if it does not tell.
    """
    found = _metadata(Path(output)).get("run") if form is Format.parquet else None
    fix = "pass --overwrite to replace it"
    if found is None:
        raise InputError(f"{output}: exists, and does not say what it was started with; {fix}")
    check_same(found, identity, place=f"{output}: is complete, and", fix=fix)


@dataclass(frozen=True)
class Parts:
    """All parts of one table, which is that of one run.

    Attributes:
        paths: Theirs, in order.
        metadata: What the whole table's say.
        schema: Of the whole table.
        rows: Of the whole table.
        source: The input whose rows they are.
        fasta: The genome that they were read from; None where the input has the bases.
    """

    paths: Sequence[Path]
    metadata: Mapping[str, Any]
    schema: pa.Schema
    rows: int
    source: str
    fasta: str | None

    @property
    def command(self) -> str:
        """The one that made them."""
        return str(self.metadata["run"]["command"])

    def contigs(self) -> list[str]:
        """Names in the column `chrom`, as they first appear."""
        names: dict[str, None] = {}
        for path in self.paths:
            with _opened(path) as file:
                for rows in file.groups(["chrom"]):
                    names |= dict.fromkeys(rows.column(0).unique().to_pylist())
        return list(names)

    @contextmanager
    def opened_reference(self) -> Iterator[Reference]:
        """The genome that they were read from.

        Raises:
            InputError: It is not where it was, or has other contigs.
        """
        with Reference.open(self.fasta or "") as reference:
            if digest_of_lengths(reference) != self.metadata["run"]["reference"]:
                found = "has other contigs than the genome that the parts were read from"
                raise InputError(f"{self.fasta}: {found}; put the same file there")
            yield reference

    def sorted_rows(self) -> list[PartRows]:
        """Rows of the parts, where they lie on the disk."""
        return [PartRows(path) for path in self.paths if _row_count(path)]


def open_parts(names: Sequence[str]) -> Parts:
    """The parts of one table, all of them.

    Args:
        names: Files, or folders that hold them.

    Raises:
        InputError: Something else is among them, they are of several runs, one is missing or there twice.
    """
    found = {path: _part(path) for name in names for path in _files(Path(name))}
    first = next(iter(found))
    for path, metadata in found.items():
        fix = f"{first} is of another run: pass parts of one"
        check_same(_of_all(metadata), _of_all(found[first]), place=str(path), fix=fix)
    ordered = _in_order(found)
    facts = found[ordered[0]]
    with _opened(ordered[0]) as file:
        schema = file.schema
    return Parts(
        ordered,
        {name: value for name, value in facts.items() if name != "part"} | _checksums(found),
        schema.remove(schema.get_field_index(NUMBER)).remove_metadata(),
        facts["part"]["rows"],
        facts["part"]["source"],
        facts["part"]["reference"],
    )


class PartRows:
    """Rows of a part, of which few row groups are in memory.

    Args:
        path: Of at least one row.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _opened(path) as file:
            self._schema, groups = file.schema, file.metadata.num_row_groups
            self._limits = [_limits(file.metadata.row_group(i)) for i in range(groups)]
        self.first, self.last = self._limits[0][0], self._limits[-1][1]
        self._groups: dict[int, pa.Table] = {}

    def between(self, start: int, end: int) -> pa.Table:
        """Those whose number is in [start, end)."""
        wanted = [i for i, (first, last) in enumerate(self._limits) if first < end and last >= start]
        with _opened(self._path) as file:
            self._groups = {i: self._groups.get(i) or file.group(i) for i in wanted}
        if not wanted:
            return self._schema.remove_metadata().empty_table()
        table = pa.concat_tables([self._groups[i] for i in wanted]).replace_schema_metadata()
        numbers = table.column(NUMBER).to_numpy()
        first, last = np.searchsorted(numbers, (start, end))
        return table.slice(first, last - first)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    unfinished = sorted(path.glob("*.parts"))
    if unfinished:
        raise InputError(f"{unfinished[0]}: an unfinished run; finish it with --resume, or remove it")
    if path.suffix == ".parts":
        raise InputError(f"{path}: an unfinished run; finish it with --resume, which writes its output")
    found = sorted(path.glob("part-*-of-*.parquet"))
    if not found:
        raise InputError(f"{path}: holds no parts (part-1-of-N.parquet, ...); pass what --shard wrote")
    return found


def _row_count(path: Path) -> int:
    with _opened(path) as file:
        count: int = file.metadata.num_rows
    return count


def _metadata(path: Path) -> dict[str, Any]:
    """What a Parquet file's say under `janusdna`."""
    with _opened(path) as file:
        kept = file.metadata.metadata or {}
        found: dict[str, Any] = json.loads(kept.get(METADATA_KEY.encode(), b"{}"))
    return found


@contextmanager
def _opened(path: Path) -> Iterator[ParquetReader]:
    """Makes one line of what Arrow says of a file that is none of its own, or not as it was."""
    try:
        with open_file(str(path)) as data:
            yield ParquetReader(data)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{path}: is no Parquet file, or a damaged one: {error}; write it again") from None


def _part(path: Path) -> dict[str, Any]:
    """What a part's metadata say."""
    metadata = _metadata(path)
    if "part" not in metadata:
        raise InputError(f"{path}: is no part of a sharded run; pass what --shard wrote")
    return metadata


def _of_all(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What all parts of one run agree on."""
    return {"--shard of": metadata["part"]["count"], "rows": metadata["part"]["rows"], **metadata["run"]}


def _in_order(found: Mapping[Path, Mapping[str, Any]]) -> list[Path]:
    """The paths of all parts of a run, by their metadata."""
    by_index: dict[int, Path] = {}
    for path, metadata in found.items():
        index, count = metadata["part"]["index"], metadata["part"]["count"]
        if index in by_index:
            raise InputError(f"{path}: is part {index}, as is {by_index[index]}; pass one of them")
        by_index[index] = path
    if missing := [index for index in range(1, count + 1) if index not in by_index]:
        shown = ", ".join(f"{index}/{count}" for index in missing[:5]) + (", ..." if len(missing) > 5 else "")
        place = next(iter(found)).parent
        raise InputError(
            f"{place}: of {count} parts {len(missing)} are missing: --shard {shown}; run them first"
        )
    return [by_index[index] for index in sorted(by_index)]


def _checksums(found: Mapping[Path, Mapping[str, Any]]) -> dict[str, Any]:
    """Those of all contigs that were read, for the metadata of the whole table.

    Raises:
        InputError: If a contig had other bases for one part than for another.
    """
    whole: dict[str, str | None] = {}
    for path, metadata in found.items():
        if metadata["contig_md5"] is None:  # of too many
            return {"contig_md5": None}
        known = {name: md5 for name, md5 in metadata["contig_md5"].items() if md5 is not None}
        before = {name: whole[name] for name in known if whole.get(name) is not None}
        now = {name: known[name] for name in before}
        fix = "parts before it were read from another reference: pass parts of one run"
        check_same({"md5 of": now}, {"md5 of": before}, place=str(path), fix=fix)
        whole |= {name: None for name in metadata["contig_md5"] if name not in whole} | known
    return bounded_checksums(dict(sorted(whole.items())))


def _limits(group: Any) -> tuple[int, int]:
    """The lowest and the highest number of a row group; numbers are its first column."""
    statistics = group.column(0).statistics
    return statistics.min, statistics.max
