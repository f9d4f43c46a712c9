"""The authors' published weights: what each is called, which file of their dataset holds it, its checksum.

The dataset cannot be looked at from here. The files of hidden size 72, their sizes and sha256 are known from
somebody who has them (github.com/tcztzy/evo.cpp at c281681, configs/geneb-janusdna-models.json); those of 32
and 144 are called alike by others. Models with the final MLP came later, as archives of a run's folder: of
one the end of the name and the MD5 are known (PyPI's dnakit), of the others what its name lets expect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from janusdna.bundled import BUNDLED
from janusdna.config import PRESETS, ModelConfig
from janusdna_cli.errors import InputError

__all__ = [
    "CHECKSUMS",
    "CONFIG_NAME",
    "FILES",
    "choose",
    "configuration_of",
    "known_checksum",
    "published_checksum",
    "published_config",
    "published_sizes",
]

CONFIG_NAME = "model_config.json"

FILES = {
    "janusdna-32-published": "32_without_midattn.ckpt",
    "janusdna-32-midattn": "32_with_midattn.ckpt",
    "janusdna-72": "72_without_midattn.ckpt",
    "janusdna-72-midattn": "72_with_midattn.ckpt",
    "janusdna-144": "144_without_midattn.ckpt",
    "janusdna-32-mlp": "*d_model-32_*onlymoe_finalmlp.tar.*",
    "janusdna-32-midattn-mlp": "*d_model-32_*midattn_finalmlp.tar.*",
    "janusdna-72-mlp": "*d_model-72_*onlymoe_finalmlp.tar.*",
    "janusdna-72-midattn-mlp": "*d_model-72_*midattn_finalmlp.tar.*",
    "janusdna-144-mlp": "*d_model-144_*onlymoe_finalmlp.tar.bz2",
}
"""Published name to the name of its file in the dataset, or a pattern of it, without folders."""

CHECKSUMS = {
    "72_without_midattn.ckpt": "sha256:015cd69eb0157eada2ed706677e64274a3cc53c2d76cfad6e1004e065ac033df",
    "72_without_midattn_model_config.json": (
        "sha256:0fe6f1e8e54f2a95cf045c511510ffb930d76ac2b93fdc657f7277864a58df9f"
    ),
    "72_with_midattn.ckpt": "sha256:94790a3f6d6e719cb63e2c26190bb4968b50a06bdee5aa01ca48b57932c9bc3e",
    "72_with_midattn_model_config.json": (
        "sha256:ba89cced27cc2a868c3e79e11b2e3479f31c56e520d3d55c893d5b4274e6346f"
    ),
    FILES["janusdna-144-mlp"]: "md5:1fce7f29c728f312d72262d6820e2ba0",
}
"""File, or pattern of it, to its checksum, where that is known from elsewhere than the dataset."""

_WITH_MLP = "-mlp"
_PUBLISHED = "-published"  # where the package's own model has the preset's name


def published_config(name: str) -> ModelConfig:
    """The sizes of the published model `name`.

    Raises:
        InputError: If nothing published is called so.
    """
    if name in FILES:
        preset = PRESETS[name.removesuffix(_WITH_MLP).removesuffix(_PUBLISHED)]
        return dataclasses.replace(preset, final_mlp=name.endswith(_WITH_MLP))
    problem = f"no published model is called {name!r}"
    if name == BUNDLED:
        problem = f"{name} comes with janusdna and need not be fetched"
    raise InputError(f"{problem}: expected one of {', '.join(FILES)}")


def published_sizes() -> dict[str, ModelConfig]:
    """The published names, without those of the models with the final MLP, and their sizes."""
    return {name: published_config(name) for name in FILES if not name.endswith(_WITH_MLP)}


def known_checksum(path: str) -> str | None:
    """Such as `sha256:...`, where it is known for a file of this name; its folders are ignored."""
    return next((checksum for file, checksum in CHECKSUMS.items() if _is_called(path, file)), None)


def published_checksum(provenance: dict[str, Any]) -> str | None:
    """The known checksum that a model's source has; None where it is not known to be published."""
    found = (f"sha256:{provenance.get('source_sha256')}", provenance.get("download_checksum"))
    return next((checksum for checksum in found if checksum in CHECKSUMS.values()), None)


def choose(paths: Collection[str], file: str) -> str:
    """The one of a dataset's `paths` that is called `file`, with its folders or without.

    Raises:
        InputError: If there is none, or more than one.
    """
    found = [file] if file in paths else [path for path in paths if _is_called(path, file)]
    if len(found) != 1:
        listed = f": {', '.join(found)}" if found else ""
        raise InputError(
            f"{file}: {len(found)} of the dataset's {len(paths)} files are called so{listed}; expected one: "
            "see all with `janusdna models pull --list`, name one with --file PATH-IN-DATASET"
        )
    return found[0]


def configuration_of(checkpoint: str, paths: Collection[str]) -> str:
    """The model configuration among `paths` that belongs to a checkpoint: beside it, or one folder above.

    Raises:
        InputError: If there is none.
    """
    place = PurePosixPath(checkpoint)
    names = (place.with_name(f"{place.stem}_{CONFIG_NAME}"), place.with_name(CONFIG_NAME))
    possible = [str(path) for path in (*names, place.parent.parent / CONFIG_NAME)]
    for path in possible:
        if path in paths:
            return path
    raise InputError(f"{checkpoint}: has no configuration: expected one of {', '.join(possible)}")


def _is_called(path: str, file: str) -> bool:
    return fnmatchcase(PurePosixPath(path).name, file)
