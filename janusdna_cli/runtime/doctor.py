"""What this machine offers to a model: `janusdna doctor`."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

import janusdna
from janusdna import ModelConfig
from janusdna.bundled import bundled_folder
from janusdna.checkpoint import read_config
from janusdna.ops.backends import choose_kernels, fast_bfloat16
from janusdna.reader import open_checkpoint, resolve_device, resolve_dtype
from janusdna_cli.runtime.facts import as_lines
from janusdna_cli.runtime.memory import PROGRAM_BYTES, bytes_of_a_base, free_memory
from janusdna_cli.runtime.threads import default_threads

__all__ = ["describe_machine"]

_LONGEST_WINDOW = 1 << 20


def describe_machine(*, model: str | None, device: str, dtype: str, kernels: str = "auto") -> str:
    """Lines of `topic  fact`.

    Raises:
        CheckpointError: If `model` is named and cannot be read.
        BackendError: If `device` or `kernels` are named and not there.
    """
    where = resolve_device(device)
    precision = resolve_dtype(dtype, where)
    config = read_config(bundled_folder()) if model is None else open_checkpoint(model).config
    chosen = choose_kernels(where, precision, states=config.state_size, preference=kernels)
    free = free_memory(where)
    facts = {
        "janusdna": janusdna.__version__,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "PyTorch": torch.__version__,
        "device": f"{where}: {_device_name(where)}",
        "dtype": str(precision).removeprefix("torch."),
        "bfloat16 on the CPU": _worth_of_bfloat16(),
        "CPU threads": f"{default_threads()} of {os.cpu_count()}",
        "memory free": f"{free / 2**30:.1f} GiB",
    }
    for operation, name in chosen.names.items():
        facts[f"{operation} kernel"] = f"{name}: {chosen.reasons[operation]}"
    facts["largest window"] = _largest_window(config, where, precision, free)
    return as_lines(facts)


def _worth_of_bfloat16() -> str:
    by = fast_bfloat16()
    if by is None:
        return "neither AMX nor AVX-512 BF16: --dtype bfloat16 would be slower"
    return f"{by}: --dtype bfloat16 is faster"


def _largest_window(config: ModelConfig, device: torch.device, dtype: torch.dtype, free: int) -> str:
    if device.type != "cpu":
        return f"not measured yet on {device.type}"
    each = bytes_of_a_base(config, dtype)
    window = min(_LONGEST_WINDOW, max(0, free - PROGRAM_BYTES) // each)
    return f"about {window:,} bp at hidden size {config.hidden_size}"


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
