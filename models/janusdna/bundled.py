"""The model that comes with the package, for whoever names no other."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BUNDLED", "DEFAULT", "bundled_folder"]

BUNDLED = "janusdna-32"
DEFAULT = "default"


def bundled_folder() -> Path:
    """Where its `config.json` and `model.safetensors` are."""
    return Path(__file__).parent / "weights" / BUNDLED
