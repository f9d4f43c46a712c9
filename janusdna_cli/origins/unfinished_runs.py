"""Folders `OUTPUT.parts/` of runs that go on, or did not come to their end."""

from pathlib import Path

from janusdna.json_object import read_json
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.provenance import facts_of

__all__ = ["holds_unfinished_run", "origin_of_unfinished_run"]

_RUN = "run.json"


def holds_unfinished_run(folder: Path) -> bool:
    """Whether a run keeps here what it has done."""
    return (folder / _RUN).is_file()


def origin_of_unfinished_run(folder: Path) -> Origin:
    """What a run was started with.

    Raises:
        CheckpointError: Its description is damaged.
    """
    run = read_json(folder / _RUN)
    facts = {"file": folder, "holds": "an unfinished run; its command with --resume goes on"} | facts_of(run)
    return Origin(facts, {"file": str(folder), "kind": "unfinished_run", "run": run})
