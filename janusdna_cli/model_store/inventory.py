"""Which models are known and here, and what one is: `janusdna models list` and `info`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from janusdna import PRESETS, ModelConfig
from janusdna.bundled import BUNDLED, bundled_folder
from janusdna.cache import cache_folder
from janusdna.checkpoint import CONFIG_NAME, build, read_config
from janusdna.json_object import read_json
from janusdna.nn.model import JanusDNA
from janusdna.reader import find_named, open_checkpoint
from janusdna_cli.backgrounds.background import Background
from janusdna_cli.backgrounds.keeping import kept_backgrounds
from janusdna_cli.model_store.published import FILES, known_checksum, published_checksum, published_sizes
from janusdna_cli.model_store.verification import verified_by
from janusdna_cli.reading.opening import folder_of
from janusdna_cli.runtime.facts import as_lines

__all__ = ["Described", "describe", "describe_known", "described"]


@dataclass(frozen=True)
class Described:
    """What a model is.

    Attributes:
        name: What outputs call it.
        config: The network's sizes.
        directory: Where a model that was named is; None for one that was found by its path, and for a preset.
        sha256: Of the weights' file; None for a preset, which has none.
        provenance: Where the weights came from.
        backgrounds: What percentiles of its scores are told by.
    """

    name: str
    config: ModelConfig
    directory: Path | None
    sha256: str | None
    provenance: dict[str, Any]
    backgrounds: tuple[Background, ...] = ()

    def facts(self) -> dict[str, Any]:
        """For a person: topic to fact."""
        if self.sha256 is None:
            return {"name": f"{self.name} (a preset; no weights)"} | _sizes(self.config)
        place = {} if self.directory is None else {"directory": self.directory}
        identity = {"sha256": self.sha256} | self.provenance
        labels = self.provenance.get("labels")
        tuned = {} if labels is None else {"fine-tuned": f"on labels of {labels}; this is its backbone"}
        told = "; ".join(map(str, self.backgrounds)) or "none: `janusdna calibrate` makes one"
        percentiles = {"percentiles": told}
        return {"name": self.name} | tuned | place | _sizes(self.config) | identity | percentiles

    def record(self) -> dict[str, Any]:
        """For a program: JSON values."""
        total, activated = _counts(self.config)
        return {
            "name": self.name,
            "directory": None if self.directory is None else str(self.directory),
            "sha256": self.sha256,
            "provenance": self.provenance,
            "parameters": total,
            "activated_parameters": activated,
            "model": self.config.to_dict(),
            "backgrounds": [each.record() for each in self.backgrounds],
        }


def described(model: str) -> Described:
    """What a model that is here is, or a preset.

    Args:
        model: What `--model` takes, or a preset's name.

    Raises:
        CheckpointError: There is no such model, or its weights are damaged.
    """
    named = None if Path(model).exists() else find_named(model)
    if model in PRESETS and not Path(model).exists() and named is None:
        return Described(model, PRESETS[model], None, None, {})
    found = open_checkpoint(model)
    build(found)
    backgrounds = tuple(kept_backgrounds(folder_of(model), found.sha256))
    return Described(found.name, found.config, named, found.sha256, found.provenance, backgrounds)


def describe(model: str) -> str:
    """Facts of a model that is here, or of a preset, a line each."""
    return as_lines(described(model).facts())


def describe_known() -> str:
    """One line for the bundled model, one a published size, and one a further model that was pulled."""
    header = f"{'name':<24}{'d':>5}{'trained on':>12}{'parameters':>13}{'activated':>12}"
    header += f"  {'verified by':<22}weights"
    pulled = [folder for folder in sorted(cache_folder().glob("models/*")) if _is_here(folder)]
    here = {folder.name: folder for folder in (bundled_folder(), *pulled)}
    sizes = published_sizes()
    rows = [_row(name, sizes.get(name), here.get(name)) for name in {BUNDLED: None} | sizes | here]
    footnote = (
        "`janusdna models pull NAME` fetches the authors' weights of the others, NAME-mlp those with the "
        "final MLP; then `--model NAME`. By hand: `janusdna models convert`."
    )
    return "\n".join([header, *rows, footnote])


def _row(name: str, published: ModelConfig | None, folder: Path | None) -> str:
    if folder is None:
        assert published is not None  # what is not here is published
        config, checksum = published, known_checksum(FILES[name])
    else:
        config = read_config(folder)
        checksum = published_checksum(read_json(folder / CONFIG_NAME).get("provenance", {}))
    total, activated = _counts(config)
    length = "unknown" if config.trained_length is None else f"{config.trained_length:,}"
    sizes = f"{name:<24}{config.hidden_size:>5}{length:>12}{total:>13,}{activated:>12,}"
    place = "bundled, the default" if name == BUNDLED else folder or "none here"
    return f"{sizes}  {verified_by(checksum):<22}{place}"


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
