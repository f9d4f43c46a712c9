"""What `janusdna models` says and does."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import torch

from janusdna import PRESETS, ModelConfig
from janusdna.checkpoint import CONFIG_NAME, build, save
from janusdna.nn.model import JanusDNA
from janusdna.reader import open_checkpoint
from janusdna_cli.errors import InputError

__all__ = ["convert_checkpoint", "describe", "describe_known"]

_PUBLISHED = "doi:10.7910/DVN/HDT0RN"

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


def describe(model: str) -> str:
    """Facts of a model that is here, or of a preset, a line each."""
    if model in PRESETS and not Path(model).exists():
        return _lines({"name": f"{model} (a preset; no weights)"} | _sizes(PRESETS[model]))
    found = open_checkpoint(model)
    build(found)
    return _lines({"name": found.name} | _sizes(found.config) | {"sha256": found.sha256} | found.provenance)


def describe_known() -> str:
    """One line a published size."""
    header = f"{'name':<22}{'d':>5}{'trained on':>12}{'parameters':>13}{'activated':>12}  weights"
    lines = [header]
    for name, config in PRESETS.items():
        total, activated = _counts(config)
        length = f"{config.trained_length:,}"
        lines.append(f"{name:<22}{config.hidden_size:>5}{length:>12}{total:>13,}{activated:>12,}  none here")
    lines.append(
        f"Published weights ({_PUBLISHED}): download a last.ckpt with its model_config.json, then "
        "`janusdna models convert last.ckpt -o DIR --length N` and `--model DIR`."
    )
    return "\n".join(lines)


def _sizes(config: ModelConfig) -> dict[str, Any]:
    total, activated = _counts(config)
    length = config.trained_length
    return {
        "parameters": f"{total:,}, {activated:,} activated",
        "trained on windows of": "unknown" if length is None else f"{length:,} bp",
        "hidden size": config.hidden_size,
        "layers": config.num_layers,
        "layers with experts": _listed(config.expert_layers),
        "layers with attention": _listed(config.attention_layers),
        "experts": f"{config.num_experts}, {config.experts_per_token} a token",
        "final MLP": "yes" if config.final_mlp else "no",
    }


def _listed(layers: tuple[int, ...]) -> str:
    return ", ".join(map(str, layers)) or "none"


def _counts(config: ModelConfig) -> tuple[int, int]:
    with torch.device("meta"):
        return JanusDNA(config).parameter_counts()


def _lines(facts: dict[str, Any]) -> str:
    width = max(map(len, facts))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in facts.items())
