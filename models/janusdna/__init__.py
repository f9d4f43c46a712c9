"""JanusDNA, a bidirectional DNA language model: load a model, read sequences with it.

model = janusdna.load("path/to/model")
out = model.read(["ACGTACGT"])
out.hidden, out.logits
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from janusdna.config import MIN_LENGTH, PRESETS, ModelConfig, preset
from janusdna.errors import (
    BackendError,
    CheckpointError,
    ConfigError,
    JanusDNAError,
    LayerError,
    SequenceError,
)

if TYPE_CHECKING:
    from janusdna.reader import Model, Reading, load

__all__ = [
    "MIN_LENGTH",
    "PRESETS",
    "BackendError",
    "CheckpointError",
    "ConfigError",
    "JanusDNAError",
    "LayerError",
    "Model",
    "ModelConfig",
    "Reading",
    "SequenceError",
    "load",
    "preset",
]
__version__ = "0.1.0.dev0"

_NEED_TORCH = {"Model", "Reading", "load"}


def __getattr__(name: str) -> Any:
    """Import what needs PyTorch at first use, so that `janusdna --help` does not wait for it."""
    if name in _NEED_TORCH:
        from janusdna import reader

        return getattr(reader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
