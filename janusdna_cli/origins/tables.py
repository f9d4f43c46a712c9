"""Tables in Parquet: a file, or a folder of files that are one table."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from janusdna_cli.errors import InputError
from janusdna_cli.genome.streams import open_file
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.provenance import facts_of, parse_provenance
from janusdna_cli.origins.row_count import STATUS, RowCount
from janusdna_cli.outputs.parquet import METADATA_KEY
from janusdna_cli.outputs.parquet_reading import ParquetReader

__all__ = ["MAGIC", "origin_of_table", "origin_of_tables", "parquet_files"]

MAGIC = b"PAR1"


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
    """What made a table in Parquet.

    Args:
        name: The file or the folder, as the user named it.
        files: Its Parquet files, at least one.

    Raises:
        InputError: One of them cannot be read, or janusdna did not write it.
    """
    rows = RowCount()
    provenances = [_read(path, rows) for path in files]
    return origin_of_table(name, "parquet", "Parquet", provenances, rows)


def origin_of_table(
    name: str, form: str, told: str, provenances: Sequence[Mapping[str, Any]], rows: RowCount
) -> Origin:
    """What made a table.

    Args:
        name: The file or the folder, as the user named it.
        form: Its format.
        told: The format, for a person.
        provenances: What each of its files says.
        rows: Of all of them.
    """
    first, differing = provenances[0], _differing(provenances)
    several = {"files": f"{len(provenances):,}"} if len(provenances) > 1 else {}
    what = {"file": name, "holds": f"a table in {told}"} | several
    record = {
        "file": name,
        "kind": "table",
        "format": form,
        "files": len(provenances),
        METADATA_KEY: first,
        "differing": sorted(differing),
        **rows.record(),
    }
    return Origin(what | facts_of(first, differing) | {"rows": rows.told()}, record)


def _read(path: Path, rows: RowCount) -> Mapping[str, Any]:
    """What a file says of its origin; its rows are counted."""
    with open_file(str(path)) as data, _damage_told(path):
        file = ParquetReader(data)
        provenance = parse_provenance(path, (file.metadata.metadata or {}).get(METADATA_KEY.encode()))
        if STATUS not in file.schema.names:
            rows.total += file.metadata.num_rows
            return provenance
        for statuses in file.groups([STATUS]):
            rows.add_column(statuses.column(0))
        return provenance


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: is damaged or cut off: {reason}; copy it again") from error


def _differing(provenances: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The names of what they do not all say as the first."""
    first, *others = provenances
    names = {name for each in (first, *others) for name in each}
    return frozenset(name for name in names if any(first.get(name) != each.get(name) for each in others))
