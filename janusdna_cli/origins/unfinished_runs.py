"""Folders `OUTPUT.parts/` of runs that go on, or did not come to their end."""

from pathlib import Path
from typing import Any

from janusdna.errors import CheckpointError
from janusdna.json_object import read_json
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.provenance import facts_of
from janusdna_cli.origins.row_count import STATUS, RowCount
from janusdna_cli.runs.folder import RunFolder

__all__ = ["holds_unfinished_run", "origin_of_unfinished_run"]

_FACTS, _IDENTITY = "run.json", "identity"


def holds_unfinished_run(folder: Path) -> bool:
    """Whether a run keeps here what it has done."""
    try:
        return isinstance(read_json(folder / _FACTS).get(_IDENTITY), dict)
    except CheckpointError:
        return False


def origin_of_unfinished_run(folder: Path) -> Origin:
    """What a run was started with, and the rows that are done."""
    run = read_json(folder / _FACTS)
    identity, done = run[_IDENTITY], _rows_done(folder)
    started = {"version": identity.get("version"), "command": run.get("command"), "input": run.get("source")}
    facts = {
        "file": folder,
        "holds": "an unfinished run: its command goes on with --resume",
        **facts_of(started | _told(identity)),
        "rows done": done.told(),
    }
    return Origin(facts, {"file": str(folder), "kind": "unfinished_run", "run": run, **done.record()})


def _told(identity: dict[str, Any]) -> dict[str, Any]:
    """The model and the options."""
    options = {name: value for name, value in identity.items() if name.startswith("--")}
    return {"model's sha256": identity.get("model"), **options}


def _rows_done(folder: Path) -> RowCount:
    """Units that are there twice count once."""
    rows, seen = RowCount(), set[int]()
    for entry, block in RunFolder(folder).entries():
        if seen.isdisjoint(entry.units):
            rows.add_column(block.between(block.first, block.last + 1).column(STATUS))
        seen.update(entry.units)
    return rows
