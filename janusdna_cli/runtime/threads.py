"""How many CPU threads a run takes where it is not told."""

from __future__ import annotations

import torch

from janusdna.ops.cpu.threads import set_threads
from janusdna_cli.runtime.limits import usable_processors

__all__ = ["default_threads", "threads_of", "use_threads"]


def default_threads() -> int:
    """As many as PyTorch would take, which knows OMP_NUM_THREADS but no container's limit."""
    return min(torch.get_num_threads(), usable_processors())


def threads_of(count: int | None) -> int:
    """What was asked for; None for the default."""
    return default_threads() if count is None else count


def use_threads(count: int | None) -> None:
    """Let every CPU kernel use `count` threads; None for the default."""
    set_threads(threads_of(count))
