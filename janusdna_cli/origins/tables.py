"""Tables in Parquet: a file, or a folder of files that are one table."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from janusdna_cli.errors import InputError
from janusdna_cli.genome.streams import open_file
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.provenance import facts_of, facts_of_rows
from janusdna_cli.outputs.parquet import METADATA_KEY

__all__ = ["MAGIC", "origin_of_tables", "parquet_files"]

MAGIC = b"PAR1"

_STATUS = "status"


class _Table(NamedTuple):
    """What one file tells; `counts` is None where it has no statuses."""

    provenance: Mapping[str, Any]
    rows: int
    counts: Counter[str] | None


def parquet_files(folder: Path) -> list[Path]:
    """The Parquet files of a folder and the folders within, by content, in the order of their names.

    As readers of Parquet do, it passes over names that begin with a dot or an underscore.
    """
    return sorted(path for path in _visible(folder) if _is_parquet(path))


def _visible(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            yield from _visible(path)
        else:
            yield path


def _is_parquet(path: Path) -> bool:
    if not path.is_file():
        return False
    with open_file(str(path)) as file:
        return file.read(len(MAGIC)) == MAGIC


def origin_of_tables(name: str, files: Sequence[Path]) -> Origin:
    """What made a table.

    Args:
        name: The file or the folder, as the user named it.
        files: Its Parquet files, at least one.

    Raises:
        InputError: One of them cannot be read, or janusdna did not write it.
    """
    tables = [_read(path) for path in files]
    first = tables[0].provenance
    differing = _differing(table.provenance for table in tables)
    rows, counts = sum(table.rows for table in tables), _sum(tables)
    several = {"files": f"{len(files):,} in Parquet"} if len(files) > 1 else {}
    what = {"file": name, "holds": "a table in Parquet"} | several
    record = {
        "file": name,
        "kind": "table",
        "format": "parquet",
        "files": len(files),
        METADATA_KEY: first,
        "differing": sorted(differing),
        "rows": rows,
        "rows_by_status": counts,
    }
    return Origin(what | facts_of(first, differing) | facts_of_rows(counts, rows), record)


def _read(path: Path) -> _Table:
    # Arrow opens no path that is not UTF-8.
    with open_file(str(path)) as data, _damage_told(path), pq.ParquetFile(data) as file:
        provenance = _provenance(path, (file.metadata.metadata or {}).get(METADATA_KEY.encode()))
        counts = _counts(file) if _STATUS in file.schema_arrow.names else None
        return _Table(provenance, file.metadata.num_rows, counts)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: is damaged or cut off: {reason}; copy it again") from error


def _provenance(path: Path, found: bytes | None) -> Mapping[str, Any]:
    try:
        value = None if found is None else json.loads(found)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        what = "no metadata" if found is None else "no JSON object in the metadata"
        raise InputError(f"{path}: janusdna did not write it: found {what} under the key {METADATA_KEY!r}")
    return value


def _counts(file: Any) -> Counter[str]:
    """Of one column, row group by row group."""
    counts: Counter[str] = Counter()
    for group in range(file.num_row_groups):
        column = file.read_row_group(group, columns=[_STATUS]).column(0)
        for each in column.value_counts():
            counts[each["values"].as_py()] += each["counts"].as_py()
    return counts


def _sum(tables: Sequence[_Table]) -> dict[str, int] | None:
    """Most frequent first; None where no file has statuses."""
    found = [table.counts for table in tables if table.counts is not None]
    return dict(sum(found, Counter[str]()).most_common()) if found else None


def _differing(provenances: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The names of what they do not all say as the first."""
    first, *others = provenances
    names = {name for each in (first, *others) for name in each}
    return frozenset(name for name in names if any(first.get(name) != each.get(name) for each in others))
