"""Small files for people and programs: text and JSON, written aside and renamed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from janusdna_cli.outputs.destinations import reported, written_aside

__all__ = ["write_json", "write_text"]


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON object, as `write_text` does; JSON has no NaN: null instead."""
    write_text(path, json.dumps(_without_nan(record), indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file in place of one that is there; its folder is made.

    Raises:
        InputError: If it cannot be written.
    """
    with reported(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(str(path), overwrite=True) as aside, reported(str(path)):
        aside.write_text(text, "utf-8")


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
