"""Reads the checkpoints of the reference implementation: `last.ckpt` beside `model_config.json`.

Published ones are called `NAME.ckpt` and `NAME_model_config.json`. The architecture is told from the
state dict: mid attention, experts, final MLP, every size that a shape shows. The configuration is asked
only for what no shape shows (heads, experts a token, the fusion's padded width, the norms' epsilon, the
auxiliary coefficient); it has quirks: a `vocab_size` of 12 that is 16 rows, an `attn_layer_offset` of
100 that means no attention layer.

Source: github.com/Qihao-Duan/JanusDNA at 697b96e and 03cd86e.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from janusdna.checkpoint import Checkpoint, file_sha256
from janusdna.config import ModelConfig
from janusdna.errors import CheckpointError, ConfigError
from janusdna.inert_pickle import read_pickle
from janusdna.json_object import read_json

__all__ = ["CONFIG_NAME", "read_reference", "rename"]

CONFIG_NAME = "model_config.json"

_ROOT = "model."
# Lightning keeps its counters of tokens beside the weights: `train_torchmetrics.num_tokens.count`.
_COUNTER = re.compile(r"(train|val|test)_torchmetrics\.")
_STREAMS = {"fwd": "forward_stream", "rev": "backward_stream", "bwd": "backward_stream"}
_LAYER = re.compile(r"model\.layers\.(?P<layer>\d+)\.(?P<kind>mamba_module|attn)\.(?P<rest>.+)")
_EXPERT = re.compile(r"(?P<stem>.+\.feed_forward)\.experts\.(?P<expert>\d+)\.(?P<leaf>\w+)\.weight")

_MIXER = {
    "A_log": "A_log",
    "D": "D",
    "conv1d.weight": "conv.weight",
    "conv1d.bias": "conv.bias",
    "in_proj.weight": "projections.in_proj.weight",
    "out_proj.weight": "projections.out_proj.weight",
    "x_proj.weight": "x_proj.weight",
    "dt_proj.weight": "dt_proj.weight",
    "dt_proj.bias": "dt_proj.bias",
    "dt_layernorm.weight": "dt_norm.weight",
    "b_layernorm.weight": "B_norm.weight",
    "c_layernorm.weight": "C_norm.weight",
}
_OUTSIDE_LAYERS = {
    "model.embed_tokens.": "embedding.",
    "model.final_attention.self_attn.o_projs.0.": "fusion.attention.o_proj.",
    "model.final_attention.self_attn.": "fusion.attention.",
    "model.final_attention.feed_forward.": "fusion.feed_forward.",
    "model.final_attention.input_layernorm.": "fusion.attention_norm.",
    "model.final_attention.pre_ff_layernorm.": "fusion.feed_forward_norm.",
    "model.final_layernorm.": "final_norm.",
    "model.final_mlp.": "final_mlp.",
    "lm_head.": "head.",
}


def read_reference(path: Path, config_path: Path | None = None, *, length: int | None = None) -> Checkpoint:
    """Read a reference checkpoint without running it.

    Args:
        path: The Lightning checkpoint.
        config_path: Its configuration; None for the one in the same folder: `NAME_model_config.json`
            for `NAME.ckpt`, else `model_config.json`.
        length: Window the model was trained on, in bases, where somebody knows.

    Raises:
        CheckpointError: If a file is missing, damaged or of another architecture.
    """
    state = _state_dict(path)
    settings = _settings(config_path or _config_beside(path))
    tensors = _stack_experts({rename(key): tensor for key, tensor in state.items()}, path)
    tensors = _join_gates(_share_projections(tensors, path))
    config = _configuration(tensors, settings, path, length)
    provenance = {"source": path.name, "source_sha256": file_sha256(path)}
    return Checkpoint(path.parent.resolve().name, config, tensors, provenance["source_sha256"], provenance)


def rename(key: str) -> str:
    """Our name of a parameter that the reference calls `key`, before experts and gates are joined.

    `model.layers.3.mamba_module.mamba_rev.D` is `backward_stream.layers.3.mixer.D`. A key of no
    known form is returned as it is, to be named as unexpected.
    """
    if match := _LAYER.fullmatch(key):
        return _rename_in_layer(match["layer"], match["kind"], match["rest"]) or key
    for theirs, ours in _OUTSIDE_LAYERS.items():
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    return key


def _rename_in_layer(layer: str, kind: str, rest: str) -> str | None:
    module, _, leaf = rest.partition(".")
    stem, _, direction = module.rpartition("_")
    if direction not in _STREAMS:
        return None
    ours = {
        "mamba": f"mixer.{_MIXER.get(leaf, leaf)}",
        "self_attn": f"mixer.projections.{leaf}",
        "feed_forward": f"feed_forward.{leaf}",
        "input_layernorm": f"mixer_norm.{leaf}",
        "pre_ff_layernorm": f"feed_forward_norm.{leaf}",
    }.get(stem)
    return None if ours is None else f"{_STREAMS[direction]}.layers.{layer}.{ours}"


def _state_dict(path: Path) -> dict[str, Tensor]:
    content = read_pickle(path)
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path}: holds no state_dict: expected a Lightning checkpoint")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{path}: state_dict entry {key!r} is no tensor")
    return {key.removeprefix(_ROOT): value for key, value in state.items() if not _COUNTER.match(key)}


def _config_beside(path: Path) -> Path:
    named = path.with_name(f"{path.stem}_{CONFIG_NAME}")
    return named if named.is_file() else path.with_name(CONFIG_NAME)


def _settings(path: Path) -> dict[str, Any]:
    content = read_json(path)
    settings = content.get("config", content)
    if not isinstance(settings, dict) or "hidden_size" not in settings:
        raise CheckpointError(f"{path}: names no hidden_size: expected the reference's model configuration")
    return settings


def _stack_experts(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    stacked: dict[str, Tensor] = {}
    experts: dict[str, dict[int, Tensor]] = {}
    for key, tensor in tensors.items():
        if match := _EXPERT.fullmatch(key):
            experts.setdefault(f"{match['stem']}.{match['leaf']}", {})[int(match["expert"])] = tensor
        else:
            stacked[key] = tensor
    for key, parts in experts.items():
        if sorted(parts) != list(range(len(parts))) or len({part.shape for part in parts.values()}) > 1:
            raise CheckpointError(f"{path}: the experts of {key} are incomplete or of different shapes")
        stacked[key] = torch.stack([parts[i] for i in range(len(parts))])
    return stacked


def _join_gates(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The rows of each gate and up projection as one matrix, of one SwiGLU or of all experts."""
    joined = dict(tensors)
    for key, gate in tensors.items():
        up = tensors.get(key.replace("gate_proj", "up_proj"))
        if "gate_proj" in key and up is not None and up.shape == gate.shape:
            del joined[key], joined[key.replace("gate_proj", "up_proj")]
            joined[key.replace("gate_proj", "gate_up_proj")] = torch.cat((gate, up), dim=-2)
    return joined


def _share_projections(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Drop the backward stream's copies of what it shares with the forward stream."""
    kept = dict(tensors)
    for key in tensors:
        if key.startswith("backward_stream.") and ".mixer.projections." in key and "_proj" in key:
            twin = key.replace("backward_stream.", "forward_stream.")
            if "in_proj" not in key and "out_proj" not in key:
                continue
            if twin not in tensors or not torch.equal(tensors[twin], tensors[key]):
                raise CheckpointError(f"{path}: {key} differs from {twin}: untied streams are not supported")
            del kept[key]
    return kept


def _configuration(
    tensors: dict[str, Tensor], settings: dict[str, Any], path: Path, length: int | None
) -> ModelConfig:
    def shape(key: str, axis: int) -> int:
        if key not in tensors:
            raise CheckpointError(f"{path}: tensor {key} is missing: not a JanusDNA checkpoint")
        return tensors[key].shape[axis]

    hidden_size = shape("embedding.weight", 1)
    if settings["hidden_size"] != hidden_size:
        raise CheckpointError(
            f"{path}: the weights have hidden_size {hidden_size}, {CONFIG_NAME} says "
            f"{settings['hidden_size']}: it belongs to another model"
        )
    layers = _layers_with(tensors, "mixer_norm.weight")
    routers = _layers_with(tensors, "feed_forward.router.weight")
    mamba = next(iter(_layers_with(tensors, "mixer.A_log")), 0)
    state = f"forward_stream.layers.{mamba}.mixer"
    experts = f"forward_stream.layers.{routers[0]}.feed_forward.router.weight" if routers else None
    try:
        return ModelConfig(
            hidden_size=hidden_size,
            num_layers=len(layers),
            intermediate_size=shape("fusion.feed_forward.down_proj.weight", 1),
            num_heads=settings.get("num_attention_heads", 4),
            fusion_scale_width=settings["flex_attn_n_embd"],
            num_experts=shape(experts, 0) if experts else settings.get("num_experts", 16),
            experts_per_token=settings.get("num_experts_per_tok", 2),
            expert_layers=tuple(routers),
            attention_layers=tuple(_layers_with(tensors, "mixer.projections.q_proj.weight")),
            expand=shape(f"{state}.A_log", 0) // hidden_size,
            state_size=shape(f"{state}.A_log", 1),
            conv_kernel=shape(f"{state}.conv.weight", 2),
            vocab_size=shape("embedding.weight", 0),
            final_mlp="final_mlp.0.weight" in tensors,
            rms_norm_eps=settings.get("rms_norm_eps", 1e-6),
            router_aux_loss_coef=settings.get("router_aux_loss_coef", 0.2),
            trained_length=length,
        )
    except KeyError as error:
        raise CheckpointError(f"{path}: {CONFIG_NAME} does not name {error}") from None
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _layers_with(tensors: dict[str, Tensor], leaf: str) -> list[int]:
    pattern = re.compile(rf"forward_stream\.layers\.(\d+)\.{re.escape(leaf)}")
    return sorted(int(match[1]) for match in map(pattern.fullmatch, tensors) if match)
