"""The task: a checkpoint of the reference implementation to a model in the native format."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from janusdna.checkpoint import CONFIG_NAME, build, save
from janusdna.reader import open_checkpoint
from janusdna_cli.errors import InputError

__all__ = ["convert_checkpoint"]

logger = logging.getLogger(__name__)


def convert_checkpoint(
    checkpoint: Path, directory: Path, *, length: int | None, name: str | None, overwrite: bool
) -> None:
    """Write a reference checkpoint in the native format.

    Raises:
        CheckpointError: If it cannot be read, or its weights do not make the network they claim.
        InputError: If `directory` holds a model already.
    """
    if (directory / CONFIG_NAME).exists() and not overwrite:
        raise InputError(f"{directory}: holds a model already; pass --overwrite to replace it")
    found = open_checkpoint(checkpoint)
    build(found)
    config = found.config if length is None else dataclasses.replace(found.config, trained_length=length)
    named = name or directory.resolve().name
    digest = save(dataclasses.replace(found, config=config, name=named), directory)
    logger.info("%s: %s written, sha256 %s", directory, named, digest)
