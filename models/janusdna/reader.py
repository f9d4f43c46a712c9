"""Windows and targets in, hidden states and logits out: the one way to read with a model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from janusdna import tokens
from janusdna.bundled import BUNDLED, DEFAULT, bundled_folder
from janusdna.cache import model_folder
from janusdna.checkpoint import CONFIG_NAME as NATIVE_CONFIG
from janusdna.checkpoint import Checkpoint, build, read_native
from janusdna.config import PRESETS, ModelConfig
from janusdna.errors import BackendError, CheckpointError, LayerError, SequenceError
from janusdna.layers import FUSED, Layer, layer_named
from janusdna.nn.edits import Edit
from janusdna.nn.graphs import GraphedPasses
from janusdna.nn.model import JanusDNA
from janusdna.nn.prediction import Reading
from janusdna.ops.backends import Kernels, choose_kernels, fast_bfloat16
from janusdna.reference_checkpoint import read_reference

__all__ = [
    "Edit",
    "Model",
    "ModelInfo",
    "Reading",
    "find_named",
    "load",
    "open_checkpoint",
    "resolve_device",
    "resolve_dtype",
]

_DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
_REFERENCE_NAME = "last.ckpt"


@dataclass(frozen=True)
class ModelInfo:
    """What identifies a loaded model in an output.

    Attributes:
        name: The model's name.
        sha256: Of the weights' file.
        kernels: Operation to kernel name.
        kernel_reasons: Operation to why.
        device: Where it runs.
        dtype: What it computes in.
        kv_dtype: What the fusion's keys and values of a window are kept in.
        provenance: Where the weights came from; `"trained": False` for a fresh network.
        slow_because: What makes it slower than it need be, in a line; None for nothing.
    """

    name: str
    sha256: str
    kernels: dict[str, str]
    kernel_reasons: dict[str, str]
    device: str
    dtype: str
    kv_dtype: str
    provenance: dict[str, Any]
    slow_because: str | None


class Model:
    """A network with its weights, ready to read. Made by `load`.

    Attributes:
        module: The `torch.nn.Module`, for training.
        config: Its sizes.
        info: Its identity.
    """

    def __init__(self, module: JanusDNA, info: ModelInfo) -> None:
        self.module = module
        self.info = info
        self._passes = GraphedPasses(module, capturable=module.kernels.capturable)

    @property
    def config(self) -> ModelConfig:
        """The network's sizes."""
        return self.module.config

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.module.head.weight.device

    @property
    def bytes_per_base(self) -> int:
        """What a base's row of a stream takes after the last layer."""
        return self.config.hidden_size * self.module.head.weight.element_size()

    @torch.inference_mode()
    def read(
        self,
        sequences: Sequence[str | bytes] | Tensor,
        targets: Tensor | None = None,
        *,
        edits: Sequence[Edit] = (),
        layer: str = FUSED.name,
    ) -> Reading:
        """Read one strand of each sequence, without gradients.

        Args:
            sequences: Nucleotides of equal length, or token ids, LongTensor (B, T); T >= 3.
            targets: 0-based positions, LongTensor (B, n); None for all. Each target is predicted
                from all other positions, and only what its prediction needs is computed.
            edits: Edited versions of these sequences, to be read near their edits at the cost of the
                bases read; the positions [first, last) of each must be among its row's targets.
            layer: Whose states come as `hidden`: "fused" (d values), what the head reads; "forward:K" or
                "backward:K" (d values), the residual stream of that direction after its layer K, which ends
                with base t itself; "K" for both side by side (2d values). K is 0, the embedding of the
                bases, to `config.num_layers`. Layers above and the stream that is not asked for do not run;
                there are no logits then.

        Raises:
            LayerError: If there is no such layer, or edits are to be read of it.
            SequenceError: If lengths differ, a letter is no nucleotide, a sequence is shorter than
                3, a target lies outside, or an edit reads what is no target or not its neighbours.
        """
        ids = sequences if isinstance(sequences, Tensor) else _encode(sequences)
        _check(ids, targets, self.config.vocab_size)
        if (states := layer_named(layer)) is not FUSED:
            return self._read_layer(ids, targets, edits, states)
        if edits and targets is None:
            targets = torch.arange(ids.shape[1]).expand_as(ids)
        if edits and targets is not None:
            _check_edits(edits, targets.to(ids.device), ids)
        with _current(self.device):
            return self._read(ids, targets, edits)

    def _read_layer(
        self, ids: Tensor, targets: Tensor | None, edits: Sequence[Edit], layer: Layer
    ) -> Reading:
        if edits:
            raise LayerError(f"layer is {layer.name!r}: edits are read at fused alone")
        if targets is None:
            targets = torch.arange(ids.shape[1]).expand_as(ids)
        with _current(self.device):
            hidden = self.module.read_layer(self._moved(ids), self._moved(targets), layer)
        return Reading(hidden, hidden.new_empty(*hidden.shape[:2], 0))

    def _read(self, ids: Tensor, targets: Tensor | None, edits: Sequence[Edit]) -> Reading:
        ids = self._moved(ids)
        if targets is None:
            prediction = self.module(ids)
            return Reading(prediction.hidden, prediction.logits)
        if edits:
            return self.module.read(ids, self._moved(targets), edits)
        return self._passes(ids, self._moved(targets))

    def _moved(self, tensor: Tensor) -> Tensor:
        """To where the weights are; a GPU fetches it while this side goes on."""
        if self.device.type == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.contiguous().pin_memory()
        return tensor.to(self.device, non_blocking=True).long()


def _current(device: torch.device) -> AbstractContextManager[object]:
    """Within it, kernels are launched on `device`: each thread begins with the first GPU."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def load(
    name: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    kv_dtype: str = "auto",
    kernels: str = "auto",
) -> Model:
    """Load a model by what `--model` takes.

    Args:
        name: A directory with `config.json` and `model.safetensors`, a reference checkpoint or the
            directory that holds one; where there is no such path, "default" or "janusdna-32" for the model
            that comes with the package, or the name of a pulled one.
        device: "auto", "cpu", "cuda" or "cuda:i".
        dtype: "auto" (bfloat16 on a GPU that has it, else float32), "float32", "bfloat16" or "float64".
        kv_dtype: What the fusion's keys and values of a window are kept in; "auto" is `dtype`.
        kernels: "auto" for the fastest; "triton" or "mamba-ssm" for the scan on a GPU; "reference" for plain
            PyTorch.

    Raises:
        CheckpointError: If there is no usable model.
        BackendError: If the device or the kernels are not there.
    """
    checkpoint = open_checkpoint(name)
    where = resolve_device(device)
    precision = resolve_dtype(dtype, where)
    chosen = choose_kernels(where, precision, states=checkpoint.config.state_size, preference=kernels)
    module = build(checkpoint, chosen).cast(precision).to(where).requires_grad_(False)
    module.memory_dtype = precision if kv_dtype == "auto" else resolve_dtype(kv_dtype, where)
    slow = _why_slow(where, precision, chosen, kernels)
    return Model(module, _info(checkpoint, chosen, where, precision, module.memory_dtype, slow))


def _why_slow(device: torch.device, dtype: torch.dtype, kernels: Kernels, preference: str) -> str | None:
    """Of what nobody asked for by name."""
    if device.type == "cpu" and dtype == torch.bfloat16 and fast_bfloat16() is None:
        return "bfloat16 on a CPU without AMX and AVX-512 BF16 is slower than float32 and coarser"
    if device.type == "cuda" and preference == "auto" and kernels.scan.name == "reference":
        return f"the scan runs as a loop of plain PyTorch, which is slow: {kernels.scan.reason}"
    return None


def open_checkpoint(name: str | Path) -> Checkpoint:
    """The weights that `name` means, in whichever of the known formats: a path first, then a name.

    Raises:
        CheckpointError: If there are none.
    """
    path = Path(name)
    if path.is_file():
        return read_reference(path)
    if (path / NATIVE_CONFIG).is_file():
        return read_native(path)
    if (path / _REFERENCE_NAME).is_file():
        return read_reference(path / _REFERENCE_NAME)
    if path.is_dir():
        raise CheckpointError(f"{path}: neither {NATIVE_CONFIG} nor {_REFERENCE_NAME} is in this directory")
    if named := find_named(str(name)):
        return read_native(named)
    if str(name).removesuffix("-mlp").removesuffix("-published") in PRESETS:
        raise CheckpointError(
            f"{name}: its weights are not here; fetch them once with: janusdna models pull {name}"
        )
    raise CheckpointError(f"{path}: no model of this name, and no such file or directory")


def find_named(name: str) -> Path | None:
    """The directory of the bundled or pulled model that is called `name`; None where there is none."""
    folder = bundled_folder() if name in (DEFAULT, BUNDLED) else model_folder(name)
    return folder if folder is not None and (folder / NATIVE_CONFIG).is_file() else None


def resolve_device(device: str) -> torch.device:
    """The device that "auto", "cpu", "cuda" or "cuda:i" means here.

    Raises:
        BackendError: If it is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        where = torch.device(device)
    except RuntimeError:
        raise BackendError(f"device is {device!r}: expected auto, cpu, cuda or cuda:i") from None
    if where.type == "cuda" and not torch.cuda.is_available():
        raise BackendError("device is cuda: PyTorch finds no CUDA GPU here; --device cpu works everywhere")
    if where.type == "cuda" and (where.index or 0) >= torch.cuda.device_count():
        raise BackendError(f"device is {device}: this machine has {torch.cuda.device_count()} CUDA GPUs")
    return where


def resolve_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The dtype that "auto" or a name means on `device`.

    Raises:
        BackendError: At an unknown name.
    """
    if dtype == "auto":
        has_bfloat16 = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if has_bfloat16 else torch.float32
    if dtype not in _DTYPES:
        raise BackendError(f"dtype is {dtype!r}: expected auto, {', '.join(_DTYPES)}")
    return _DTYPES[dtype]


def _info(
    checkpoint: Checkpoint,
    kernels: Kernels,
    device: torch.device,
    dtype: torch.dtype,
    kv_dtype: torch.dtype,
    slow_because: str | None,
) -> ModelInfo:
    return ModelInfo(
        name=checkpoint.name,
        sha256=checkpoint.sha256,
        kernels=kernels.names,
        kernel_reasons=kernels.reasons,
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        kv_dtype=str(kv_dtype).removeprefix("torch."),
        provenance=checkpoint.provenance,
        slow_because=slow_because,
    )


def _encode(sequences: Sequence[str | bytes]) -> Tensor:
    if isinstance(sequences, str | bytes):
        raise SequenceError("one string was given: expected a list of sequences")
    lengths = {len(sequence) for sequence in sequences}
    if len(lengths) != 1:
        raise SequenceError(f"sequences have lengths {sorted(lengths)}: expected one length a batch")
    return torch.from_numpy(np.stack([tokens.encode(sequence) for sequence in sequences])).long()


def _check(ids: Tensor, targets: Tensor | None, vocabulary: int) -> None:
    if ids.ndim != 2 or ids.is_floating_point():
        raise SequenceError(f"ids are {ids.dtype} {tuple(ids.shape)}: expected integers (B, T)")
    if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary:
        raise SequenceError(
            f"ids reach from {int(ids.min())} to {int(ids.max())}: expected 0 to {vocabulary - 1}"
        )
    if targets is None:
        return
    if targets.ndim != 2 or targets.shape[0] != ids.shape[0] or targets.is_floating_point():
        raise SequenceError(
            f"targets are {targets.dtype} {tuple(targets.shape)}: expected integers ({ids.shape[0]}, n)"
        )
    if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < ids.shape[1]:
        raise SequenceError(
            f"targets reach from {int(targets.min())} to {int(targets.max())}: "
            f"expected 0 to {ids.shape[1] - 1}"
        )


def _check_edits(edits: Sequence[Edit], targets: Tensor, ids: Tensor) -> None:
    """Each lies within its sequence, and the sequence itself is read wherever the edit is."""
    batch, length = ids.shape
    is_target = torch.zeros(ids.shape, dtype=torch.bool, device=ids.device)
    is_target.scatter_(1, targets.long(), True)
    for edit in edits:
        ordered = 0 <= edit.first <= edit.start <= edit.end <= edit.last <= length
        if not (ordered and 0 <= edit.row < batch and edit.first < edit.last):
            raise SequenceError(f"{edit} does not lie within sequences of {length} bases")
        left, right = edit.first < edit.start or edit.start == 0, edit.last > edit.end or edit.end == length
        if not (left and right):
            raise SequenceError(f"{edit} is read without its neighbours: expected a base more on each side")
        if not is_target[edit.row, edit.first : edit.last].all():
            raise SequenceError(f"{edit} is read where its sequence has no target")
