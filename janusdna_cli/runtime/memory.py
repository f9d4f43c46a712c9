"""How much memory a device has left."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from janusdna_cli.runtime.limits import memory_left

__all__ = ["free_memory"]


def free_memory(device: torch.device) -> int:
    """Bytes that this process can still have."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    left = memory_left()
    return _machine_free() if left is None else min(left, _machine_free())


def _machine_free() -> int:
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text("ascii").splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
