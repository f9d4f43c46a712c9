"""Which kernel computes each operation: chosen once, when a model is built, with the reason.

Only this file knows what is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

from janusdna.ops import fusion, reference

__all__ = ["OPERATIONS", "REFERENCE", "Kernel", "Kernels", "choose_kernels", "has_amx"]

OPERATIONS = ("scan", "conv", "norm", "swiglu", "mixture", "fusion")

# Few enough rows that activations stay in the caches, many enough that calls do not count: 4,551 at d = 72.
_CPU_CHUNK_VALUES = 5 << 16


@dataclass(frozen=True)
class Kernel:
    """One implementation of an operation.

    Attributes:
        name: What outputs record.
        reason: Why it was chosen.
        function: Called as the function of the same operation in `reference`.
    """

    name: str
    reason: str
    function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it."""
        return self.function(*args, **kwargs)


@dataclass(frozen=True)
class Kernels:
    """The kernels of one model, an operation each.

    Attributes:
        scan, conv, norm, swiglu, mixture, fusion: As in `reference`.
        chunk_values: Values of the residual stream (tokens of a batch times d) that walk through the
            layers together when no gradient is wanted; None for whole windows.
    """

    scan: Kernel
    conv: Kernel
    norm: Kernel
    swiglu: Kernel
    mixture: Kernel
    fusion: Kernel
    chunk_values: int | None = None

    @property
    def names(self) -> dict[str, str]:
        """Operation to kernel name, as outputs record it."""
        return {operation: getattr(self, operation).name for operation in OPERATIONS}

    @property
    def reasons(self) -> dict[str, str]:
        """Operation to why its kernel was chosen."""
        return {operation: getattr(self, operation).reason for operation in OPERATIONS}


_PLAIN: dict[str, Callable[..., Any]] = {
    "scan": reference.selective_scan,
    "conv": reference.conv_silu,
    "norm": reference.rms_norm,
    "swiglu": reference.swiglu,
    "mixture": reference.mixture,
    "fusion": reference.janus_attention,
}


def _plain(operation: str, reason: str) -> Kernel:
    return Kernel("reference", reason, _PLAIN[operation])


def _plain_but(reason: str, **chosen: Kernel) -> Kernels:
    """The reference for all operations but the chosen ones."""
    kernels: dict[str, Any] = {operation: _plain(operation, reason) for operation in OPERATIONS}
    return Kernels(**kernels | chosen)


REFERENCE = _plain_but("asked for")


def choose_kernels(device: torch.device, dtype: torch.dtype, *, states: int) -> Kernels:
    """The fastest exact kernels for tensors of `dtype` on `device`.

    Args:
        device: Where the model runs.
        dtype: What it computes in.
        states: N of its scans.
    """
    if device.type == "cuda":
        return _cuda_kernels()
    four_flash = Kernel("four-flash", "PyTorch has a flash kernel for CPUs", fusion.janus_attention)
    if dtype == torch.float64:
        reason = "the Numba kernels compute in float32"
        return _plain_but(reason, fusion=four_flash)
    return _cpu_kernels(states, four_flash)


def has_amx() -> bool:
    """Whether this CPU multiplies bfloat16 matrices in hardware; without, float32 is faster."""
    supported = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(supported and supported())


def _cpu_kernels(states: int, four_flash: Kernel) -> Kernels:
    from janusdna.ops import conv_cpu, mixture_cpu, norm_cpu, scan_cpu, swiglu_cpu

    reason = "the device is a CPU"
    scan = Kernel("numba", reason, scan_cpu.selective_scan)
    if states != scan_cpu.STATES:
        scan = _plain("scan", f"the Numba kernel is for N = {scan_cpu.STATES}, this model has N = {states}")
    return Kernels(
        scan=scan,
        conv=Kernel("numba", reason, conv_cpu.conv_silu),
        norm=Kernel("numba", reason, norm_cpu.rms_norm),
        swiglu=Kernel("numba", reason, swiglu_cpu.swiglu),
        mixture=Kernel("numba", reason, mixture_cpu.mixture),
        fusion=four_flash,
        chunk_values=_CPU_CHUNK_VALUES,
    )


def _cuda_kernels() -> Kernels:
    from janusdna.ops import flex

    return _plain_but(
        "PyTorch's own kernels",
        scan=_installed("scan", "mamba-ssm", "mamba_ssm", "selective_scan"),
        conv=_installed("conv", "causal-conv1d", "causal_conv1d", "conv_silu"),
        fusion=Kernel("flex-attention", "the device is CUDA", partial(flex.janus_attention, compiled=True)),
    )


def _installed(operation: str, name: str, module: str, function: str) -> Kernel:
    """The adapter in `ops/<module>.py` where its package imports, else the reference with the reason."""
    if find_spec(module) is None:
        return _plain(operation, f"{name} is not installed")
    try:
        adapter = import_module(f"janusdna.ops.{module}")
    except (ImportError, OSError) as error:
        return _plain(operation, f"{name} does not import: {' '.join(str(error).split())}")
    return Kernel(name, f"the device is CUDA and {name} imports", getattr(adapter, function))
