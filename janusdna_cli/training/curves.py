"""Pretraining runs in, pictures of their curves out.

run folders -> metrics, descriptions -> a page for each format -> PNG, SVG, PDF
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.destinations import check_destination
from janusdna_cli.outputs.picture_formats import PictureFormat, picture_format
from janusdna_cli.outputs.pictures import write_picture
from janusdna_cli.training.curves_page import MOST_RUNS, Run, draw_runs
from janusdna_cli.training.metrics import read_metrics

__all__ = ["PlotSettings", "plot_runs"]

# What is drawn where nobody asks for anything.
_FORMATS: tuple[PictureFormat, ...] = ("png", "svg")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PlotSettings:
    """What `plot` does.

    Attributes:
        runs: Folders that `pretrain` wrote; several are overlaid.
        output: Where to, "-" for standard output; None for `curves.png` and `curves.svg` in the folder of a
            single run.
        format: "png", "svg" or "pdf"; None tells it from the output's suffix.
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
        # A page for each: saving one moves what is on it, and the bytes of the next format would differ.
        write_picture(draw_runs(runs), destination, form)
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
    return {settings.output: picture_format(settings.output, settings.format)}


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
