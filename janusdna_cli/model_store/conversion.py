"""The task: a checkpoint, of the reference implementation or our own, to a model in the native format."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from torch import Tensor

from janusdna.checkpoint import CONFIG_NAME, Checkpoint, build, save
from janusdna.parameter_groups import roles
from janusdna.reader import open_checkpoint
from janusdna_cli.errors import InputError
from janusdna_cli.reading.settings import Dtype

__all__ = ["convert_checkpoint"]

logger = logging.getLogger(__name__)


def convert_checkpoint(
    checkpoint: Path,
    directory: Path,
    *,
    length: int | None,
    name: str | None,
    weights_dtype: Dtype = "auto",
    overwrite: bool,
) -> None:
    """Write a checkpoint in the native format.

    Args:
        checkpoint: A reference one, or a model's directory.
        directory: The model's.
        length: Bases that it was trained on; None for what is known.
        name: Of the model; None for the directory's.
        weights_dtype: What matrices are kept in; "auto" is what they are in. Norms, biases, A_log and D are
            never rounded.
        overwrite: Whether a model that is there is replaced.

    Raises:
        CheckpointError: If it cannot be read, or its weights do not make the network they claim.
        InputError: If `directory` holds a model already.
    """
    if (directory / CONFIG_NAME).exists() and not overwrite:
        raise InputError(f"{directory}: holds a model already; pass --overwrite to replace it")
    found = open_checkpoint(checkpoint)
    tensors = _kept_in(found, weights_dtype)
    config = found.config if length is None else dataclasses.replace(found.config, trained_length=length)
    named = name or directory.resolve().name
    digest = save(dataclasses.replace(found, config=config, name=named, tensors=tensors), directory)
    logger.info("%s: %s written, sha256 %s", directory, named, digest)


def _kept_in(checkpoint: Checkpoint, dtype: Dtype) -> dict[str, Tensor]:
    network = build(checkpoint)
    if dtype == "auto":
        return checkpoint.tensors
    role, parameters = roles(network), dict(network.named_parameters())
    return {
        name: tensor.float() if dtype == "float32" or role[parameters[name]] == "scale" else tensor.bfloat16()
        for name, tensor in checkpoint.tensors.items()
    }
