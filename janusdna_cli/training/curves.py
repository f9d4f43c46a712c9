"""Pretraining runs in, pictures of their curves out.

run folders -> metrics, descriptions -> a page for each format -> PNG, SVG
"""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.destinations import check_destination, written_aside
from janusdna_cli.outputs.pictures import save_picture
from janusdna_cli.training.curves_page import MOST_RUNS, Run, draw_runs
from janusdna_cli.training.metrics import read_metrics

__all__ = ["PictureFormat", "PlotSettings", "plot_runs"]

PictureFormat = Literal["png", "svg"]

_FORMATS: tuple[PictureFormat, ...] = ("png", "svg")
_STDOUT = "-"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PlotSettings:
    """What `plot` does.

    Attributes:
        runs: Folders that `pretrain` wrote; several are overlaid.
        output: Where to, "-" for standard output; None for `curves.png` and `curves.svg` in the folder of a
            single run.
        format: "png" or "svg"; None tells it from the output's suffix.
    """

    runs: tuple[str, ...]
    output: str | None = None
    format: PictureFormat | None = None


def plot_runs(settings: PlotSettings) -> list[str]:
    """Draws the curves of one run or of several; pictures that are there are replaced.

    Returns:
        Where the pictures are.

    Raises:
        InputError: A run cannot be read or a picture cannot be written.
    """
    destinations = _destinations(settings)
    if settings.output is not None:  # a run's own folder is looked for by the reader, with better words
        check_destination(settings.output, overwrite=True)
    runs = [
        Run(name, _details(Path(folder)), read_metrics(folder))
        for name, folder in zip(_names(settings.runs), settings.runs, strict=True)
    ]
    for destination, form in destinations.items():
        _write(_picture(runs, form), destination)
    counted = ", ".join(f"{len(run.metrics.training):,}" for run in runs)
    logger.info("%s steps drawn -> %s", counted, ", ".join(destinations))
    return list(destinations)


def _destinations(settings: PlotSettings) -> dict[str, PictureFormat]:
    if len(settings.runs) > MOST_RUNS:
        raise InputError(
            f"found {len(settings.runs)} runs, expected at most {MOST_RUNS}: more cannot be told apart"
        )
    if settings.output is None:
        if len(settings.runs) > 1:
            raise InputError(
                f"found {len(settings.runs)} runs and no output; pass -o, such as -o compare.png"
            )
        formats = _FORMATS if settings.format is None else (settings.format,)
        return {str(Path(settings.runs[0]) / f"curves.{form}"): form for form in formats}
    return {settings.output: settings.format or _format_of(settings.output)}


def _format_of(destination: str) -> PictureFormat:
    if destination == _STDOUT:
        return "png"
    suffix = Path(destination).suffix
    for form in _FORMATS:
        if suffix.lower() == f".{form}":
            return form
    raise InputError(
        f"{destination}: the suffix {suffix or '(none)'} names no picture format; use .png or .svg, or pass "
        "--format png|svg"
    )


def _write(picture: bytes, destination: str) -> None:
    if destination == _STDOUT:
        sys.stdout.buffer.write(picture)
        return
    try:
        with written_aside(destination, overwrite=True) as path:
            path.write_bytes(picture)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{destination}: cannot be written: {reason}") from error


def _names(folders: Sequence[str]) -> list[str]:
    """The folders' own names where these tell them apart, else their paths."""
    names = [Path(folder).resolve().name or folder for folder in folders]
    return names if len(set(names)) == len(names) else list(folders)


def _details(folder: Path) -> str:
    """What `config.json` says of a run; nothing when there is none, or none that can be read."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""

    def told(section: str, texts: Mapping[str, Callable[[Any], str]]) -> Iterator[str]:
        values = config.get(section) if isinstance(config, dict) else None
        for key, text in texts.items():
            value = values.get(key) if isinstance(values, dict) else None
            if isinstance(value, str | int) and not isinstance(value, bool):
                yield text(value)

    settings: dict[str, Callable[[Any], str]] = {
        "preset": str,
        "objective": "objective {}".format,
        "length": lambda value: f"windows of {_grouped(value)} bases",
        "seed": "seed {}".format,
    }
    model: dict[str, Callable[[Any], str]] = {
        "hidden_size": "width {}".format,
        "num_layers": "{} layers".format,
        "num_experts": "{} experts".format,
    }
    return ", ".join([*told("settings", settings), *told("model", model)])


def _grouped(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _picture(runs: Sequence[Run], form: PictureFormat) -> bytes:
    # A page for each: saving one moves what is on it, and the bytes of the next format would differ.
    buffer = io.BytesIO()
    save_picture(draw_runs(runs), buffer, form)
    return buffer.getvalue()
