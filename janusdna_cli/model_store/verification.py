"""The task: whether a model is what it says it is, and computes here what it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from janusdna.checkpoint import CONFIG_NAME
from janusdna.reader import Model, find_named, load
from janusdna_cli.errors import InputError
from janusdna_cli.model_store.known_answers import KnownAnswer, known_answer
from janusdna_cli.model_store.published import known_checksum, published_checksum

__all__ = ["TOLERANCE", "verified_by", "verify_model"]

TOLERANCE = 1e-4
"""Absolute, of values around one: float32 rounds away some 2e-6, bfloat16 some 0.1."""


def verify_model(name: str | Path) -> dict[str, str]:
    """What could be verified of a model, each with what was found.

    Its weights must be those that its configuration names, and make the network that it describes. Its
    source, where it is called as a published file, must have that one's sha256. Where it is known what its
    source computes for one input, the model must compute it too, in float32 on this machine's CPU.

    Args:
        name: What `--model` takes.

    Raises:
        CheckpointError: If there is no usable model.
        InputError: If its source is not the published one, or its answer differs from the known one.
    """
    model = load(name, device="cpu", dtype="float32")
    source = model.info.provenance
    return {
        "weights": f"sha256:{model.info.sha256}{_by_what(name)}",
        "source": _verified_source(model.info.name, source),
        "known answer": _verified_answer(model, known_answer(str(source.get("source_sha256")))),
    }


def verified_by(checksum: str | None) -> str:
    """By what a model is verified whose source has this known checksum, in words; "-" where none is known."""
    algorithm, _, digest = (checksum or "-").partition(":")
    return f"{algorithm}, known answer" if known_answer(digest) else algorithm


def _by_what(name: str | Path) -> str:
    folder = Path(name) if Path(name).exists() else find_named(str(name))
    return f", as {CONFIG_NAME} says" if folder and (folder / CONFIG_NAME).is_file() else ""


def _verified_source(model: str, provenance: dict[str, Any]) -> str:
    source, found = provenance.get("source"), f"sha256:{provenance.get('source_sha256')}"
    if published := published_checksum(provenance):
        return f"{source}, {published}, as published"
    expected = known_checksum(str(source))
    if expected is not None and expected.startswith("sha256:"):
        raise InputError(
            f"{model}: comes from a {source} with {found}, expected {expected}: not the published file; "
            "fetch that with: janusdna models pull NAME --overwrite"
        )
    if "source_sha256" not in provenance:
        return "no published file is named"
    return f"{source}, {found}; what it must be is not known"


def _verified_answer(model: Model, expected: KnownAnswer | None) -> str:
    if expected is None:
        return "none is known of this model"
    targets = torch.arange(expected.positions)[None]
    hidden = model.read(torch.tensor([expected.ids]), targets).hidden[0].mean(dim=0)
    difference = (hidden.double() - torch.tensor(expected.hidden, dtype=torch.float64)).abs()
    place = int(difference.argmax())
    largest = _brief(float(difference[place]))
    if not float(difference[place]) <= TOLERANCE:
        raise InputError(
            f"{model.info.name}: differs from its known answer by up to {largest}, expected {TOLERANCE:g} at "
            f"most: hidden value {place} of 0 to {len(expected.hidden) - 1}, mean of the first "
            f"{expected.positions} positions, is {float(hidden[place]):.6g}, expected "
            f"{expected.hidden[place]:.6g}; if newly pulled weights (--overwrite) do the same, this machine "
            "computes wrongly: please report it with what `janusdna doctor` says"
        )
    return f"agrees to {largest}"


def _brief(value: float) -> str:
    """One digit, such as 2e-6."""
    return f"{value:.1g}".replace("e-0", "e-")
