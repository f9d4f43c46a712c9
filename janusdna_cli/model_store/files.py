"""What `janusdna models` says and does."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import torch

from janusdna import PRESETS, ModelConfig
from janusdna.bundled import BUNDLED, bundled_folder
from janusdna.cache import cache_folder
from janusdna.checkpoint import CONFIG_NAME, build, read_config, save
from janusdna.nn.model import JanusDNA
from janusdna.reader import find_named, open_checkpoint
from janusdna_cli.errors import InputError
from janusdna_cli.model_store.published_names import published_sizes

__all__ = ["convert_checkpoint", "describe", "describe_known"]

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
    named = None if Path(model).exists() else find_named(model)
    if model in PRESETS and not Path(model).exists() and named is None:
        return _lines({"name": f"{model} (a preset; no weights)"} | _sizes(PRESETS[model]))
    found = open_checkpoint(model)
    build(found)
    place = {} if named is None else {"directory": named}
    identity = {"sha256": found.sha256} | found.provenance
    return _lines({"name": found.name} | place | _sizes(found.config) | identity)


def describe_known() -> str:
    """One line for the bundled model, one a published size, and one a further model that was pulled."""
    header = f"{'name':<24}{'d':>5}{'trained on':>12}{'parameters':>13}{'activated':>12}  weights"
    pulled = [folder for folder in sorted(cache_folder().glob("models/*")) if _is_here(folder)]
    here = {folder.name: folder for folder in (bundled_folder(), *pulled)}
    sizes = published_sizes()
    lines = [header]
    for name in {BUNDLED: None} | sizes | here:
        config = read_config(here[name]) if name in here else sizes[name]
        total, activated = _counts(config)
        length = "unknown" if config.trained_length is None else f"{config.trained_length:,}"
        place = "bundled, the default" if name == BUNDLED else here.get(name, "none here")
        lines.append(f"{name:<24}{config.hidden_size:>5}{length:>12}{total:>13,}{activated:>12,}  {place}")
    lines.append(
        "`janusdna models pull NAME` fetches the authors' weights of the others, NAME-mlp those with the "
        "final MLP; then `--model NAME`. By hand: `janusdna models convert`."
    )
    return "\n".join(lines)


def _is_here(folder: Path) -> bool:
    return (folder / CONFIG_NAME).is_file()


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
