"""What a run leaves: the table of predictions, the report and its pictures."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import janusdna
from janusdna.labels import LabelTask
from janusdna_cli.finetuning.data import LabelledData, Trial
from janusdna_cli.finetuning.label_settings import LabelSettings
from janusdna_cli.finetuning.pictures import PICTURES, draw_pictures
from janusdna_cli.finetuning.predictions import kept_rows, kept_schema, key_kind
from janusdna_cli.finetuning.report import as_markdown, as_record
from janusdna_cli.finetuning.results import Told
from janusdna_cli.outputs.documents import write_json, write_text
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.tables import open_table

__all__ = ["RESULTS", "run_facts", "write_results"]

RESULTS = ("predictions.parquet", "report.json", "report.md", *PICTURES)


def run_facts(settings: LabelSettings, name: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """What a report and a table say of their origin.

    Args:
        settings: Of the run.
        name: Of the run.
        model: Name and sha256.
    """
    return {
        "title": name,
        "version": janusdna.__version__,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "input": Path(settings.input).name,
        "model": dict(model),
        "settings": settings.binding(),
    }


def write_results(
    folder: Path,
    data: LabelledData,
    task: LabelTask,
    trials: Sequence[Trial],
    found: Sequence[Told],
    facts: Mapping[str, Any],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Write `predictions.parquet`, `report.json`, `report.md` and pictures; what is there is replaced.

    Args:
        folder: Where.
        data: What was learned from.
        task: What is told.
        trials: Of the run.
        found: What each method told, in each trial.
        facts: What the run was started with.
        notes: What a reader of the report should know.

    Returns:
        What `report.json` holds.

    Raises:
        InputError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    schema = kept_schema(key_kind(data.items[0].keys), task)
    path = str(folder / "predictions.parquet")
    with open_table(path, schema, Format.parquet, overwrite=True, metadata=facts) as table:
        for told in found:
            table.write(kept_rows(data, task, told))
    record = as_record(data, task, trials, found, facts, notes)
    pictures = draw_pictures(folder, data, task, found)
    write_json(folder / "report.json", record)
    write_text(folder / "report.md", as_markdown(record, pictures))
    return record
