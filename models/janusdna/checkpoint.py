"""The native format: a directory of `config.json` and `model.safetensors`.

`config.json` holds the network's sizes, the model's name, where it came from and the sha256 of the
weights beside it. Tensors keep their dtype; a weight that the two streams share stands once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from janusdna.config import ModelConfig
from janusdna.errors import CheckpointError, ConfigError
from janusdna.json_object import read_json
from janusdna.nn.model import JanusDNA
from janusdna.ops.backends import REFERENCE, Kernels

__all__ = [
    "CONFIG_NAME",
    "WEIGHTS_NAME",
    "Checkpoint",
    "build",
    "read_config",
    "read_native",
    "read_tensors",
    "save",
    "write_tensors",
]

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
_FORMAT_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A model's weights on their way between a file and a network.

    Attributes:
        name: What outputs call the model.
        config: The network's sizes.
        tensors: By the name of the network's parameter.
        sha256: Of the file the weights were read from; of what `save` writes once it has.
        provenance: Free facts: where the weights came from.
    """

    name: str
    config: ModelConfig
    tensors: dict[str, Tensor]
    sha256: str
    provenance: dict[str, Any] = field(default_factory=dict)


def save(checkpoint: Checkpoint, directory: Path) -> str:
    """Write `directory`, made if it is missing, and return the sha256 of its weights."""
    contiguous = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    # One entry: safetensors writes several in any order, and equal weights would differ in their sha256.
    weights = serialise(contiguous, metadata={"format": "janusdna"})
    digest = hashlib.sha256(weights).hexdigest()
    description = {
        "format": _FORMAT_VERSION,
        "name": checkpoint.name,
        "weights_sha256": digest,
        "provenance": checkpoint.provenance,
        "model": checkpoint.config.to_dict(),
    }
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / WEIGHTS_NAME, weights)
    _write(directory / CONFIG_NAME, (json.dumps(description, indent=2) + "\n").encode())
    return digest


def _write(path: Path, content: bytes) -> None:
    """A whole file or none, whatever ends the program meanwhile."""
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write a safetensors file that whoever may read its folder's files can read: `save_file` hides it."""
    path.write_bytes(serialise(tensors))


def read_native(directory: Path) -> Checkpoint:
    """Read what `save` wrote.

    Raises:
        CheckpointError: If a file is missing, damaged or not what its name says.
    """
    description, config = _read_description(directory)
    weights = directory / WEIGHTS_NAME
    tensors = read_tensors(weights)
    digest = file_sha256(weights)
    if digest != description.get("weights_sha256"):
        raise CheckpointError(
            f"{weights}: sha256 is {digest[:12]}..., {CONFIG_NAME} says "
            f"{str(description.get('weights_sha256'))[:12]}...: the two files do not belong together"
        )
    name = str(description.get("name", directory.name))
    return Checkpoint(name, config, tensors, digest, dict(description.get("provenance", {})))


def read_config(directory: Path) -> ModelConfig:
    """The sizes of what `save` wrote, without its weights.

    Raises:
        CheckpointError: If the configuration is missing or damaged.
    """
    return _read_description(directory)[1]


def _read_description(directory: Path) -> tuple[dict[str, Any], ModelConfig]:
    path = directory / CONFIG_NAME
    description = read_json(path)
    if description.get("format") != _FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: format is {description.get('format')!r}: this version reads {_FORMAT_VERSION}"
        )
    try:
        return description, ModelConfig.from_dict(description["model"])
    except (ConfigError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: {error}") from None


def build(checkpoint: Checkpoint, kernels: Kernels = REFERENCE) -> JanusDNA:
    """The network of `checkpoint`, its weights loaded strictly and in their own dtypes.

    Raises:
        CheckpointError: If a tensor is missing, unexpected, of another shape or not finite.
    """
    with torch.device("meta"):
        network = JanusDNA(checkpoint.config, kernels)
    expected = dict(network.named_parameters())
    _check_names_and_shapes(checkpoint, expected)
    for name, tensor in checkpoint.tensors.items():
        if not tensor.is_floating_point():
            raise CheckpointError(f"{checkpoint.name}: tensor {name} is {tensor.dtype}: expected floats")
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{checkpoint.name}: tensor {name} holds NaN or infinity")
    network.load_state_dict(_with_shared(network, checkpoint.tensors), assign=True)
    return network.eval()


def _check_names_and_shapes(checkpoint: Checkpoint, expected: dict[str, torch.nn.Parameter]) -> None:
    found = checkpoint.tensors
    problems = [f"missing {name} {tuple(p.shape)}" for name, p in expected.items() if name not in found]
    problems += [f"unexpected {name} {tuple(t.shape)}" for name, t in found.items() if name not in expected]
    problems += [
        f"{name} is {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}"
        for name, tensor in found.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    if problems:
        raise CheckpointError(f"{checkpoint.name}: the weights do not fit the network: {'; '.join(problems)}")


def _with_shared(network: JanusDNA, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every state dict name, the shared weights under both of theirs."""
    first_name = {id(parameter): name for name, parameter in network.named_parameters()}
    everything = network.named_parameters(remove_duplicate=False)
    return {name: tensors[first_name[id(parameter)]] for name, parameter in everything}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """What `write_tensors` wrote.

    Raises:
        CheckpointError: If it is missing or damaged.
    """
    try:
        with _utf8_path(path) as found, safe_open(found, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file: expected it beside {CONFIG_NAME}") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file, or cut short: {error}") from None


@contextmanager
def _utf8_path(path: Path) -> Iterator[str]:
    """A path that safetensors opens, which takes none that is not UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            yield f"/dev/fd/{file.fileno()}"
    else:
        yield str(path)


def file_sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
