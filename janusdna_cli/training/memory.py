"""How much memory a training step takes, and so how many bases go at once and what is kept of them."""

from __future__ import annotations

import torch

from janusdna.config import ModelConfig
from janusdna_cli.runtime.memory import free_memory

__all__ = ["bytes_per_base", "lanes", "micro_batch_bases", "needs_recomputing"]

# Measured on a CPU at d = 32 to 144 (benchmarks/training_memory.py): float32 values kept for the way back, of
# a base in a layer of both streams, per channel of the residual stream; and those of the fusion and the head.
_VALUES_PER_LAYER = 65
_VALUES_BESIDE = 120
# With layers computed again: what lies between them, and one of them whole.
_VALUES_BETWEEN = 6
# Few enough bases that a step's products stay in the caches, and calls do not count.
_CPU_BASES = 8192
_MOST_CUDA_BASES = 1 << 18
_MOST_LANES = 4


def lanes(device: torch.device) -> int:
    """Micro-batches that are computed side by side."""
    return min(torch.get_num_threads(), _MOST_LANES) if device.type == "cpu" else 1


def bytes_per_base(config: ModelConfig, dtype: torch.dtype, *, recompute: bool = False) -> int:
    """Bytes that a base of a window takes while a gradient is on its way."""
    layer = _VALUES_PER_LAYER * config.hidden_size
    layers = config.num_layers * (_VALUES_BETWEEN * config.hidden_size if recompute else layer)
    once_more = layer if recompute else 0
    return (layers + once_more + _VALUES_BESIDE * config.hidden_size) * dtype.itemsize


def micro_batch_bases(config: ModelConfig, device: torch.device, dtype: torch.dtype) -> int:
    """Bases that go through the network at once."""
    if device.type == "cpu":
        return _CPU_BASES
    fitting = free_memory(device) // 2 // bytes_per_base(config, dtype)
    return min(_MOST_CUDA_BASES, fitting)


def needs_recomputing(config: ModelConfig, bases: int, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether so many bases at once take more than half of the memory that is free."""
    return bases * bytes_per_base(config, dtype) > free_memory(device) // 2
