"""How much memory a device has left."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from janusdna import ModelConfig
from janusdna_cli.runtime.limits import memory_left

__all__ = ["PROGRAM_BYTES", "bytes_of_a_base", "bytes_to_read", "free_memory"]

# Measured on a CPU (benchmarks/one_variant.py): the program itself, and what each base of the window adds
# beside the keys and values of both streams.
PROGRAM_BYTES = 800_000_000
_BASE_BYTES = 150
_BASE_VALUES = 4


def free_memory(device: torch.device) -> int:
    """Bytes that this process can still have."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    left = memory_left()
    return _machine_free() if left is None else min(left, _machine_free())


def bytes_to_read(config: ModelConfig, window: int, dtype: torch.dtype = torch.float32) -> int:
    """What a process that reads windows of so many bases takes on a CPU."""
    return PROGRAM_BYTES + window * bytes_of_a_base(config, dtype)


def bytes_of_a_base(config: ModelConfig, dtype: torch.dtype) -> int:
    """What each base of a window takes on a CPU."""
    values = _BASE_VALUES * (1 + len(config.attention_layers)) * config.hidden_size
    return _BASE_BYTES + values * dtype.itemsize


def _machine_free() -> int:
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text("ascii").splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
