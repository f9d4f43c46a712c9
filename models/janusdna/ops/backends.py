"""Which kernel computes each operation: chosen once, when a model is built, with the reason.

Only this file knows what is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch

from janusdna.ops import fusion, reference

__all__ = ["REFERENCE", "Kernel", "Kernels", "choose_kernels"]


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
    """The kernels of one model, an operation each."""

    scan: Kernel
    conv: Kernel
    fusion: Kernel

    @property
    def names(self) -> dict[str, str]:
        """Operation to kernel name, as outputs record it."""
        return {"scan": self.scan.name, "conv": self.conv.name, "fusion": self.fusion.name}


def _reference_kernel(function: Callable[..., Any], reason: str) -> Kernel:
    return Kernel("reference", reason, function)


REFERENCE = Kernels(
    scan=_reference_kernel(reference.selective_scan, "asked for"),
    conv=_reference_kernel(reference.causal_conv, "asked for"),
    fusion=_reference_kernel(reference.janus_attention, "asked for"),
)


def choose_kernels(device: torch.device, dtype: torch.dtype, *, states: int) -> Kernels:
    """The fastest exact kernels for tensors of `dtype` on `device`.

    Args:
        device: Where the model runs.
        dtype: What it computes in.
        states: N of its scans.
    """
    if dtype == torch.float64:
        scan = _reference_kernel(reference.selective_scan, "float64 has no other kernel")
        conv = _reference_kernel(reference.causal_conv, "float64 has no other kernel")
    elif device.type == "cuda":
        scan, conv = _cuda_scan(), _cuda_conv()
    else:
        scan = _cpu_scan(states)
        conv = _reference_kernel(reference.causal_conv, "plain PyTorch is the kernel on a CPU")
    return Kernels(scan, conv, _fusion(device))


def _cpu_scan(states: int) -> Kernel:
    from janusdna.ops import scan_cpu

    if states != scan_cpu.STATES:
        reason = f"the Numba kernel is for N = {scan_cpu.STATES}, this model has N = {states}"
        return _reference_kernel(reference.selective_scan, reason)
    return Kernel("numba", "the device is a CPU", scan_cpu.selective_scan)


def _cuda_scan() -> Kernel:
    if find_spec("mamba_ssm") is None:
        return _reference_kernel(reference.selective_scan, "mamba-ssm is not installed")
    try:
        from janusdna.ops import mamba_ssm
    except (ImportError, OSError) as error:
        return _reference_kernel(reference.selective_scan, f"mamba-ssm does not import: {error}")
    return Kernel("mamba-ssm", "the device is CUDA and mamba-ssm imports", mamba_ssm.selective_scan)


def _cuda_conv() -> Kernel:
    if find_spec("causal_conv1d") is None:
        return _reference_kernel(reference.causal_conv, "causal-conv1d is not installed")
    try:
        from janusdna.ops import causal_conv1d
    except (ImportError, OSError) as error:
        return _reference_kernel(reference.causal_conv, f"causal-conv1d does not import: {error}")
    return Kernel("causal-conv1d", "the device is CUDA and causal-conv1d imports", causal_conv1d.causal_conv)


def _fusion(device: torch.device) -> Kernel:
    if device.type == "cpu":
        return Kernel("four-flash", "PyTorch's flash kernel runs on a CPU", fusion.janus_attention)
    from janusdna.ops import flex

    return Kernel(
        "flex-attention", f"the device is {device.type}", partial(flex.janus_attention, compiled=True)
    )
