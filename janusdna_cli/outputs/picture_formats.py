"""The formats of a picture, and which one a name means; no picture is drawn here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.destinations import STDOUT, check_destination

__all__ = ["PICTURE_FORMATS", "PictureFormat", "check_picture", "picture_format"]

PictureFormat = Literal["png", "svg", "pdf"]
PICTURE_FORMATS: tuple[PictureFormat, ...] = get_args(PictureFormat)


def picture_format(destination: str, override: PictureFormat | None = None) -> PictureFormat:
    """The format to draw, by `--format` or else by the destination's suffix; PNG for standard output.

    Raises:
        InputError: The suffix names no format.
    """
    if override is not None or destination == STDOUT:
        return override or "png"
    suffix = Path(destination).suffix
    for form in PICTURE_FORMATS:
        if suffix.lower() == f".{form}":
            return form
    raise InputError(
        f"{destination}: the suffix {suffix or '(none)'} names no picture format; use .png, .svg or .pdf"
    )


def check_picture(destination: str, *, overwrite: bool) -> None:
    """Refuses, before any work, a picture that could not be written at the end of it.

    Raises:
        InputError: Its suffix names no format, or as `check_destination`.
    """
    picture_format(destination)
    check_destination(destination, overwrite=overwrite)
