"""Which kernel computes each operation: chosen once, when a model is built, with the reason.

Only this file knows what is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from janusdna.errors import BackendError
from janusdna.ops import attention, fusion, reference

__all__ = ["OPERATIONS", "PREFERENCES", "REFERENCE", "Kernel", "Kernels", "choose_kernels", "fast_bfloat16"]

OPERATIONS = ("scan", "conv", "norm", "swiglu", "mixture", "fusion")
_BESIDES = ("attention", "targets", "layers", "gated")
PREFERENCES = ("auto", "triton", "mamba-ssm", "reference")

# So few rows that activations stay in the caches, so many that experts fill their tiles: 9,102 at d = 72.
_CPU_CHUNK_VALUES = 10 << 16
# Bounds the activations of a long window to some GB: 233,016 rows at d = 144.
_CUDA_CHUNK_VALUES = 1 << 25
# The first with tuples of tensors in kernels.
_OLDEST_TRITON = (3, 3)
# What the calls of a block of targets cost: on a GPU its processors wait for them.
_CPU_BLOCK_PAIRS = 150_000
_CPU_ALONE = 2.25
_CUDA_BLOCK_PAIRS = 20_000_000


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


_ATTENTION = Kernel("pytorch", "PyTorch has fused kernels", attention.attend)


@dataclass(frozen=True)
class RowKernels:
    """Passes over rows in which products, norms, gates and sums are one; without a gradient.

    Attributes:
        name, reason: As of a `Kernel`.
        project, add_product, add_mamba, add_swiglu, add_mixture: As in `reference`.
    """

    name: str
    reason: str
    project: Callable[..., tuple[Tensor, Tensor]]
    add_product: Callable[..., Tensor]
    add_mamba: Callable[..., tuple[Tensor, Tensor, Tensor]]
    add_swiglu: Callable[..., Tensor]
    add_mixture: Callable[..., tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class Kernels:
    """The kernels of one model, an operation each.

    Attributes:
        scan, conv, norm, swiglu, mixture, fusion: As in `reference`.
        chunk_values: Values of the residual stream (tokens of a batch times d) that walk through the
            layers together when no gradient is wanted; None for whole windows.
        block_pairs: What the calls for a block of targets cost beside its arithmetic, in pairs of a query
            and a key that attention could have seen to meanwhile.
        alone: What a pair of targets' rows read alone costs, in pairs of all positions: where these have a
            kernel of their own and those under a mask have not.
        targets: As in `reference.target_attention`: reads all targets of a batch in one call, where calls
            are dear; None to read them block by block.
        layers: Passes over rows without a gradient; None where operations run one by one.
        gated: As `reference.gated`, for a gradient; None where its operations run one by one.
        attention: As `attention.attend`: of queries to all of many keys.
        capturable: Whether a pass can become a CUDA graph: nothing in it waits for the GPU.
    """

    scan: Kernel
    conv: Kernel
    norm: Kernel
    swiglu: Kernel
    mixture: Kernel
    fusion: Kernel
    chunk_values: int | None = None
    block_pairs: int = _CPU_BLOCK_PAIRS
    alone: float = 1.0
    targets: Kernel | None = None
    layers: RowKernels | None = None
    gated: Kernel | None = None
    attention: Kernel = _ATTENTION
    capturable: bool = False

    @property
    def passes(self) -> RowKernels | None:
        """`layers` where no gradient is wanted."""
        return None if torch.is_grad_enabled() else self.layers

    @property
    def names(self) -> dict[str, str]:
        """Operation to kernel name, as outputs record it."""
        return {operation: kernel.name for operation, kernel in self._all()}

    @property
    def reasons(self) -> dict[str, str]:
        """Operation to why its kernel was chosen."""
        return {operation: kernel.reason for operation, kernel in self._all()}

    def _all(self) -> list[tuple[str, Kernel | RowKernels]]:
        named = [(operation, getattr(self, operation)) for operation in (*OPERATIONS, *_BESIDES)]
        return [(operation, kernel) for operation, kernel in named if kernel is not None]


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


def choose_kernels(
    device: torch.device, dtype: torch.dtype, *, states: int, preference: str = "auto"
) -> Kernels:
    """The fastest exact kernels for tensors of `dtype` on `device`.

    Args:
        device: Where the model runs.
        dtype: What it computes in.
        states: N of its scans.
        preference: One of `PREFERENCES`: "auto" chooses; "triton" and "mamba-ssm" say who scans on a GPU;
            "reference" is plain PyTorch for everything.

    Raises:
        BackendError: At an unknown preference, and where what is preferred cannot run here.
    """
    if preference not in PREFERENCES:
        raise BackendError(f"kernels are {preference!r}: expected {', '.join(PREFERENCES)}")
    if preference == "reference":
        return REFERENCE
    if device.type == "cuda":
        return _cuda_kernels(device, dtype, states, preference)
    if preference != "auto":
        raise BackendError(
            f"kernels are {preference}, which needs a CUDA GPU, and the device is {device.type}: "
            "--kernels auto works everywhere"
        )
    four_flash = Kernel("four-flash", "PyTorch has a flash kernel for CPUs", fusion.janus_attention)
    if dtype == torch.float64:
        reason = "the Numba kernels compute in float32"
        return _plain_but(reason, fusion=four_flash)
    return _cpu_kernels(dtype, states, four_flash)


def fast_bfloat16() -> str | None:
    """What makes bfloat16 faster than float32 on this CPU: "AMX", "AVX-512 BF16", or None where nothing does.

    Products of pairs are faster by our own kernels where AMX is not there; with it PyTorch's are
    (docs/performance.md).
    """
    if _has_amx():
        return "AMX"
    from janusdna.ops.cpu.processor import multiplies_bfloat16

    return "AVX-512 BF16" if multiplies_bfloat16() else None


def _has_amx() -> bool:
    supported = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(supported and supported())


def _cpu_kernels(dtype: torch.dtype, states: int, four_flash: Kernel) -> Kernels:
    from janusdna.ops.cpu import attention as attention_cpu
    from janusdna.ops.cpu import conv as conv_cpu
    from janusdna.ops.cpu import fusion as fusion_cpu
    from janusdna.ops.cpu import gated as gated_cpu
    from janusdna.ops.cpu import mixture as mixture_cpu
    from janusdna.ops.cpu import norm as norm_cpu
    from janusdna.ops.cpu import scan as scan_cpu
    from janusdna.ops.cpu import swiglu as swiglu_cpu

    reason = "the device is a CPU"
    by_amx = dtype == torch.bfloat16 and _has_amx()
    scan = Kernel("numba", reason, scan_cpu.selective_scan)
    if states != scan_cpu.STATES:
        scan = _plain("scan", f"the Numba kernel is for N = {scan_cpu.STATES}, this model has N = {states}")
    return Kernels(
        scan=scan,
        conv=Kernel("numba", reason, conv_cpu.conv_silu),
        norm=Kernel("numba", reason, norm_cpu.rms_norm),
        swiglu=Kernel("numba", reason, swiglu_cpu.swiglu),
        mixture=Kernel("numba", reason, mixture_cpu.mixture),
        fusion=four_flash if by_amx else Kernel("numba", reason, fusion_cpu.janus_attention),
        chunk_values=_CPU_CHUNK_VALUES,
        alone=_CPU_ALONE,
        layers=_row_kernels(dtype, reason),
        gated=Kernel("numba", reason, gated_cpu.gated),
        attention=_ATTENTION if by_amx else Kernel("numba", reason, attention_cpu.attend),
    )


def _row_kernels(dtype: torch.dtype, reason: str) -> RowKernels | None:
    """In float32, and in bfloat16 where products of pairs are what makes it fast."""
    from janusdna.ops.cpu import mamba, row_mixture, rows

    if dtype == torch.bfloat16:
        if fast_bfloat16() != "AVX-512 BF16":
            return None
        reason = "this CPU multiplies pairs of bfloat16"
    return RowKernels(
        "numba",
        reason,
        project=rows.project,
        add_product=rows.add_product,
        add_mamba=mamba.add_mamba,
        add_swiglu=rows.add_swiglu,
        add_mixture=row_mixture.add_mixture,
    )


def _cuda_kernels(device: torch.device, dtype: torch.dtype, states: int, preference: str) -> Kernels:
    if dtype == torch.float64:
        return _plain_but("the kernels for GPUs compute in float32")
    missing = _why_no_triton(device)
    scan = _cuda_scan(missing, states, preference)
    mixture = _grouped_mixture(missing, dtype)
    conv = _triton("conv", "conv_silu", missing)
    if preference != "triton":
        adapted = _installed("conv", "causal-conv1d", "causal_conv1d", "conv_silu")
        conv = conv if adapted.name == "reference" else adapted
    four_flash = "PyTorch has a flash kernel for GPUs; FlexAttention is not known to be faster"
    return Kernels(
        scan=scan,
        conv=conv,
        norm=_triton("norm", "rms_norm", missing),
        swiglu=_triton("swiglu", "swiglu", missing),
        mixture=mixture,
        fusion=Kernel("four-flash", four_flash, fusion.janus_attention),
        chunk_values=_CUDA_CHUNK_VALUES,
        block_pairs=_CUDA_BLOCK_PAIRS,
        targets=_triton("targets", "target_attention", missing) if missing is None else None,
        capturable="reference" not in (scan.name, mixture.name),
    )


def _cuda_scan(missing: str | None, states: int, preference: str) -> Kernel:
    """mamba-ssm's where it imports, else Triton's, else the reference with both reasons."""
    if missing is None and states & (states - 1):
        missing = f"Triton's kernel is for a power of two, this model has N = {states}"
    own = _triton("scan", "selective_scan", missing)
    adapted = _installed("scan", "mamba-ssm", "mamba_ssm", "selective_scan")
    wanted = {"triton": own, "mamba-ssm": adapted}.get(preference)
    if wanted is not None and wanted.name == "reference":
        raise BackendError(f"kernels are {preference}: {wanted.reason}; --kernels auto takes what there is")
    if wanted is not None:
        return Kernel(wanted.name, "asked for", wanted.function)
    if adapted.name != "reference":
        return adapted
    both = f"{adapted.reason}; {own.reason}"
    return Kernel(own.name, both, own.function)


def _why_no_triton(device: torch.device) -> str | None:
    """What is missing for Triton's kernels to run on a GPU; None if nothing is."""
    if find_spec("triton") is None:
        return "Triton is not installed: it comes with PyTorch's CUDA builds for Linux"
    release = tuple(int(part) for part in version("triton").split(".")[:2])
    if release < _OLDEST_TRITON:
        return f"Triton is {version('triton')}: expected 3.3 or newer, which comes with PyTorch 2.7"
    if torch.cuda.is_available() and torch.cuda.get_device_capability(device) < (8, 0):
        return "Triton's kernels are for GPUs of compute capability 8.0 and above"
    return None


def _triton(operation: str, function: str, missing: str | None) -> Kernel:
    if missing is not None:
        return _plain(operation, missing)
    from janusdna.ops.triton.launch import builds_a_launcher

    module = import_module(f"janusdna.ops.triton.{operation}")
    launched = (
        "" if builds_a_launcher() else ", launched by the driver: Triton finds no C compiler and headers"
    )
    return Kernel("triton", f"the device is CUDA{launched}", getattr(module, function))


def _grouped_mixture(missing: str | None, dtype: torch.dtype) -> Kernel:
    if missing is None and not hasattr(functional, "grouped_mm"):
        missing = f"PyTorch {torch.__version__} has no grouped_mm: 2.10 and above have"
    if missing is None and dtype == torch.float32:
        missing = "grouped products on a GPU are for bfloat16"
    if missing is not None:
        return _plain("mixture", missing)
    from janusdna.ops.triton import mixture as mixture_grouped

    return Kernel("grouped", "the device is CUDA", mixture_grouped.mixture)


def _installed(operation: str, name: str, module: str, function: str) -> Kernel:
    """The adapter in `ops.optional` where its package imports, else the reference with the reason."""
    if find_spec(module) is None:
        return _plain(operation, f"{name} is not installed")
    try:
        adapter = import_module(f"janusdna.ops.optional.{module}")
    except (ImportError, OSError) as error:
        return _plain(operation, f"{name} does not import: {' '.join(str(error).split())}")
    return Kernel(name, f"the device is CUDA and {name} imports", getattr(adapter, function))
