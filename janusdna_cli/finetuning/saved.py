"""A fine-tuned model's folder: the backbone as any model, and beside it the head and what it tells.

config.json, model.safetensors     the backbone: what every command takes
head.safetensors                   pooling and head
task.json                          kind and names of the labels, strands, padding; sha256 of both weights
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from janusdna.checkpoint import Checkpoint, read_native, read_tensors, save, write_tensors
from janusdna.errors import CheckpointError, ConfigError
from janusdna.json_object import read_json
from janusdna.labels import LabelTask
from janusdna.nn.labelled import LabelledNetwork

__all__ = [
    "HEAD_NAME",
    "TASK_NAME",
    "SavedHead",
    "SavedLabelled",
    "note_metrics",
    "read_head",
    "read_labelled",
    "save_labelled",
]

HEAD_NAME, TASK_NAME = "head.safetensors", "task.json"
_BACKBONE = "backbone."


@dataclasses.dataclass(frozen=True)
class SavedLabelled:
    """What `save_labelled` wrote.

    Attributes:
        backbone: The network below the head.
        head: Tensors of pooling and head, by name.
        task: What is told.
    """

    backbone: Checkpoint
    head: dict[str, Tensor]
    task: LabelTask


def save_labelled(
    network: LabelledNetwork, task: LabelTask, name: str, facts: dict[str, Any], folder: Path
) -> None:
    """Write a network into a folder, made if it is missing."""
    tensors = {key: weight.detach().cpu() for key, weight in network.named_parameters()}
    backbone = {key.removeprefix(_BACKBONE): t for key, t in tensors.items() if key.startswith(_BACKBONE)}
    head = {key: tensor.contiguous() for key, tensor in tensors.items() if not key.startswith(_BACKBONE)}
    digest = save(Checkpoint(name, network.backbone.config, backbone, "", facts), folder)
    write_tensors(head, folder / HEAD_NAME)
    description = {
        "task": task.to_dict(),
        "backbone_sha256": digest,
        "head_sha256": _sha256(folder / HEAD_NAME),
    }
    (folder / TASK_NAME).write_text(json.dumps(description, indent=2) + "\n", "utf-8")


def note_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write into a saved model's task how good it is."""
    description = read_json(folder / TASK_NAME) | {"metrics": metrics}
    aside = folder / f".{TASK_NAME}"
    aside.write_text(json.dumps(description, indent=2) + "\n", "utf-8")
    aside.replace(folder / TASK_NAME)


class SavedHead(NamedTuple):
    """What lies beside a backbone.

    Attributes:
        tensors: Of pooling and head, by name.
        task: What is told.
        sha256: Of the head's file.
        backbone_sha256: Of the backbone's weights.
    """

    tensors: dict[str, Tensor]
    task: LabelTask
    sha256: str
    backbone_sha256: str


def read_head(folder: Path) -> SavedHead:
    """Read what lies beside a backbone.

    Raises:
        CheckpointError: If a file is missing or damaged, or the files do not belong together.
    """
    if not (folder / TASK_NAME).is_file():
        raise CheckpointError(
            f"{folder}: no {TASK_NAME}: it tells no labels; pass RUNDIR/model of a finetune run"
        )
    description = read_json(folder / TASK_NAME)
    try:
        task = LabelTask.from_dict(description["task"])
        backbone = str(description["backbone_sha256"])
    except (ConfigError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / TASK_NAME}: {error}") from None
    tensors = read_tensors(folder / HEAD_NAME)
    digest = _sha256(folder / HEAD_NAME)
    if digest != description.get("head_sha256"):
        raise _mixed(folder)
    return SavedHead(tensors, task, digest, backbone)


def read_labelled(folder: Path) -> SavedLabelled:
    """Read what `save_labelled` wrote.

    Raises:
        CheckpointError: If a file is missing or damaged, or the files do not belong together.
    """
    head, backbone = read_head(folder), read_native(folder)
    if backbone.sha256 != head.backbone_sha256:
        raise _mixed(folder)
    return SavedLabelled(backbone, head.tensors, head.task)


def _mixed(folder: Path) -> CheckpointError:
    return CheckpointError(f"{folder}: {TASK_NAME} is of other weights: its files do not belong together")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
