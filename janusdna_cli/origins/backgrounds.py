"""Backgrounds of percentiles: what made one, how its alleles were read, how many there are."""

from __future__ import annotations

import json
from dataclasses import asdict

from janusdna_cli.backgrounds.background import KIND, read_background
from janusdna_cli.origins.origin import Origin
from janusdna_cli.origins.provenance import facts_of

__all__ = ["is_background", "origin_of_background"]

_START = f'"kind": {json.dumps(KIND)}'.encode()


def is_background(start: bytes) -> bool:
    """Whether a file that begins so is one, as `calibrate` writes it."""
    return start.removeprefix(b"{").lstrip().startswith(_START)


def origin_of_background(path: str) -> Origin:
    """What made a background, and what it can tell.

    Raises:
        InputError: It is damaged.
    """
    background = read_background(path)
    facts: dict[str, object] = {
        "file": path,
        "holds": "a background of percentiles",
        **facts_of({"model": background.model, **background.made, **asdict(background.conditions)}),
        "percentiles of": ", ".join(background.scores),
        "random alleles": f"{background.alleles:,} in {len(background.counts):,} classes",
        "classes without percentiles": ", ".join(background.wanting) or "none",
    }
    record = {"file": path, "kind": "background", "model": background.model, "made": background.made}
    return Origin(
        facts, record | {name: each for name, each in background.record().items() if name != "path"}
    )
