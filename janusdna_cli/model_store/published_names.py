"""Which of a dataset's files are the weights that a name means: told by paths alone.

The authors' dataset cannot be looked at from here. What others wrote of it: `32_with_midattn.ckpt` beside
`32_with_midattn_model_config.json`, and so for 32 and 72, `with` and `without`, and `144_without_midattn`;
models with the final MLP as archives of a run's folder, such as `janusdna_len-131k_d_model-144_..._onlymoe_
finalmlp.tar.bz2`. Runs of the reference keep `model_config.json` one folder above `checkpoints/last.ckpt`.
All of these are found, and what is said in other words of the same kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from janusdna.bundled import BUNDLED
from janusdna.config import PRESETS, ModelConfig
from janusdna_cli.errors import InputError

__all__ = [
    "Published",
    "choose",
    "choose_named",
    "choose_within",
    "configuration_of",
    "is_archive",
    "published",
    "published_sizes",
]

_WITH_MLP = "-mlp"
_CHECKPOINTS = (".ckpt", ".pt", ".pth")
_ARCHIVES = (".tar", ".tar.bz2", ".tar.gz", ".tar.xz", ".tbz2", ".tgz", ".zip")
_WIDTHS = "|".join(sorted({str(config.hidden_size) for config in PRESETS.values()}))
_WIDTH = (r"d_model[-_=]?(\d+)", r"(\d+)[-_ ]?dim(?![a-z])", rf"(?<![a-z0-9])({_WIDTHS})(?![a-z0-9])")
_WITHOUT = re.compile(r"(without|w[-_/]?o|no)[-_ ]?mid|onlymoe")
_FINAL_MLP = re.compile(r"(?<![a-z])(final[-_ ]?)?mlp(?![a-z])")


@dataclass(frozen=True)
class Published:
    """What a name asks for.

    Attributes:
        name: As in `published_sizes`, or a preset's with `-mlp` behind it.
        config: The preset.
        final_mlp: Whether the weights with the final MLP are meant, which came later than the paper's.
    """

    name: str
    config: ModelConfig
    final_mlp: bool

    def __str__(self) -> str:
        attention = "with" if self.config.attention_layers else "without"
        mlp = "with" if self.final_mlp else "without"
        return f"hidden size {self.config.hidden_size}, {attention} mid attention, {mlp} the final MLP"


def published(name: str) -> Published:
    """What `name` asks for.

    Raises:
        InputError: If nothing published is called so.
    """
    sizes = published_sizes()
    if name in sizes:
        return Published(name, sizes[name], final_mlp=False)
    if name.removesuffix(_WITH_MLP) in PRESETS and name not in PRESETS:
        return Published(name, PRESETS[name.removesuffix(_WITH_MLP)], final_mlp=True)
    problem = f"no published model is called {name!r}"
    if name == BUNDLED:
        problem = f"{name} comes with janusdna and need not be fetched"
    raise InputError(
        f"{problem}: expected one of {', '.join(sizes)}, or {BUNDLED}{_WITH_MLP} and the like for the "
        "weights with the final MLP"
    )


def published_sizes() -> dict[str, ModelConfig]:
    """The published names with their sizes; where the model of the package has a preset's name, not that."""
    return {f"{name}-published" if name == BUNDLED else name: sizes for name, sizes in PRESETS.items()}


def is_archive(path: str) -> bool:
    """Whether a path looks like an archive of files."""
    return path.lower().endswith(_ARCHIVES)


def choose(paths: Sequence[str], wanted: Published) -> str:
    """The checkpoint or archive among a dataset's `paths` that holds what is `wanted`.

    Raises:
        InputError: If there is none, or more than one and nothing to prefer.
    """
    fitting = [path for path in _weights_among(paths) if _fits(path, wanted)]
    loose = [path for path in fitting if not is_archive(path)]
    found = _only(loose or fitting)
    if found is not None:
        return found
    remedy = "name one with --file PATH-IN-DATASET"
    if fitting:
        raise InputError(f"{len(fitting)} files may be {wanted.name} ({wanted}){_listed(fitting)}; {remedy}")
    weights = _weights_among(paths)
    raise InputError(
        f"no file looks like {wanted.name} ({wanted}); of {len(paths)} files {len(weights)} are "
        f"checkpoints or archives{_listed(weights)}; {remedy}, or see all with: janusdna models pull --list"
    )


def choose_named(paths: Sequence[str], file: str) -> str:
    """The one of a dataset's `paths` that a user calls `file`, with its folders or without.

    Raises:
        InputError: If there is none, more than one, or if it is neither checkpoint nor archive.
    """
    found = [file] if file in paths else [path for path in paths if PurePosixPath(path).name == file]
    if len(found) != 1:
        raise InputError(
            f"--file {file}: {len(found)} of the dataset's {len(paths)} files are called so{_listed(found)}; "
            "see all with: janusdna models pull --list"
        )
    if not _weights_among(found):
        expected = ", ".join(_CHECKPOINTS + _ARCHIVES)
        raise InputError(f"--file {file}: is neither checkpoint nor archive: expected one of {expected}")
    return found[0]


def choose_within(members: Sequence[str], archive: str) -> str:
    """The checkpoint among the `members` of an archive.

    Raises:
        InputError: If there is none, or more than one and nothing to prefer.
    """
    checkpoints = [path for path in _weights_among(members) if not is_archive(path)]
    found = _only(checkpoints)
    if found is None:
        raise InputError(
            f"{archive}: {len(checkpoints)} of {len(members)} files are checkpoints{_listed(checkpoints)}; "
            "expected one, or one last.ckpt; unpack it, then: janusdna models convert FILE -o DIR --length N"
        )
    return found


def _weights_among(paths: Sequence[str]) -> list[str]:
    """Those of `paths` that may hold weights: checkpoints and archives."""
    return [path for path in paths if path.lower().endswith(_CHECKPOINTS) or is_archive(path)]


def configuration_of(checkpoint: str, paths: Sequence[str]) -> str:
    """The model configuration among `paths` that belongs to a checkpoint: in its folder, or one above.

    Raises:
        InputError: If there is none, or more than one and nothing to prefer.
    """
    place = PurePosixPath(checkpoint)
    jsons = [PurePosixPath(path) for path in paths if re.search(r"config[^/]*\.json$", path.lower())]
    for folder in (place.parent, place.parent.parent):
        here = [path for path in jsons if path.parent == folder]
        named = [path for path in here if path.name.startswith(f"{place.stem}_")]
        plain = [path for path in here if path.name == "model_config.json"]
        for found in (named, plain, here):
            if len(found) == 1:
                return str(found[0])
    raise InputError(
        f"{checkpoint}: found {len(jsons)} configurations{_listed([str(path) for path in jsons])}, expected "
        f"{place.stem}_model_config.json or model_config.json beside it"
    )


def _only(paths: Sequence[str]) -> str | None:
    last = [path for path in paths if PurePosixPath(path).name == "last.ckpt"]
    return next((found[0] for found in (paths, last) if len(found) == 1), None)


def _listed(paths: Sequence[str]) -> str:
    return f": {', '.join(paths)}" if paths else ""


def _fits(path: str, wanted: Published) -> bool:
    said = path.lower()
    if _width(said) != wanted.config.hidden_size or bool(_FINAL_MLP.search(said)) != wanted.final_mlp:
        return False
    if _WITHOUT.search(said):
        return not wanted.config.attention_layers
    # Where nothing is said of it, it is as with the one size that exists without alone.
    return bool(wanted.config.attention_layers) == ("mid" in said)


def _width(said: str) -> int | None:
    for pattern in _WIDTH:
        if found := re.findall(pattern, said):
            return int(found[-1])
    return None
