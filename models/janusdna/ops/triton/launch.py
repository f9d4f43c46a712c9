"""Launches Triton's kernels, also where there is no C compiler.

Triton compiles a kernel by itself. To load and launch it, it builds a small C module with the machine's own
compiler and Python's headers, which many a machine with a GPU does not have. There, the compiled kernel is
handed to the CUDA driver directly.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

__all__ = ["builds_a_launcher", "launch"]

_WARP = 32
_POINTERS = {
    torch.float32: "*fp32",
    torch.bfloat16: "*bf16",
    torch.float16: "*fp16",
    torch.int64: "*i64",
    torch.int32: "*i32",
}
_INTEGERS = {"i32": ctypes.c_int32, "i64": ctypes.c_int64}

Operand = Tensor | int | float


class _Loaded(NamedTuple):
    """A kernel on a GPU.

    Attributes:
        function: The driver's handle.
        shared: Bytes of shared memory.
        hidden: Pointers that Triton adds behind the operands; null where they are not used.
    """

    function: ctypes.c_void_p
    shared: int
    hidden: int


@cache
def builds_a_launcher() -> bool:
    """Whether Triton finds what it builds its launcher with."""
    compilers = os.environ.get("CC", ""), "gcc", "clang"
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return headers.exists() and any(shutil.which(compiler) for compiler in compilers)


def launch(
    kernel: Any, grid: Sequence[int], *operands: Operand, num_warps: int = 4, **constants: int | bool
) -> None:
    """Run `kernel` on the current GPU and stream.

    Args:
        kernel: Made by `triton.jit`.
        grid: Programs along up to three axes.
        operands: Its arguments but the constants, in their order.
        num_warps: Of a program.
        constants: Its `constexpr` arguments.
    """
    if not isinstance(kernel, JITFunction) or builds_a_launcher():
        kernel[tuple(grid)](*operands, **constants, num_warps=num_warps)
        return
    types = tuple(_type(operand) for operand in operands)
    loaded = _load(kernel, types, tuple(constants.items()), num_warps, torch.cuda.current_device())
    values = [_value(operand, kind) for operand, kind in zip(operands, types, strict=True)]
    values += [ctypes.c_void_p(0)] * loaded.hidden
    addresses = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
    programs = (*grid, 1, 1)[:3]
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    block = _WARP * num_warps, 1, 1
    _call("cuLaunchKernel", loaded.function, *programs, *block, loaded.shared, stream, addresses, None)


def _type(operand: Operand) -> str:
    if isinstance(operand, Tensor):
        return _POINTERS[operand.dtype]
    if isinstance(operand, float):
        return "fp32"
    return "i32" if -(1 << 31) <= operand < 1 << 31 else "i64"


def _value(operand: Operand, kind: str) -> Any:
    if isinstance(operand, Tensor):
        return ctypes.c_void_p(operand.data_ptr())
    return ctypes.c_float(operand) if kind == "fp32" else _INTEGERS[kind](int(operand))


@cache
def _load(
    kernel: Any, types: tuple[str, ...], constants: tuple[tuple[str, int]], num_warps: int, device: int
) -> _Loaded:
    """Compile a kernel for operands of these types, and bring it to the GPU."""
    major, minor = torch.cuda.get_device_capability(device)
    fixed = dict(constants)
    names = [name for name in kernel.arg_names if name not in fixed]
    signature = dict(zip(names, types, strict=True)) | dict.fromkeys(fixed, "constexpr")
    source = ASTSource(kernel, {name: signature[name] for name in kernel.arg_names}, fixed)
    target = GPUTarget("cuda", 10 * major + minor, _WARP)
    compiled = triton.compile(source, target=target, options={"num_warps": num_warps})
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    _call("cuModuleLoadData", ctypes.byref(module), compiled.asm["cubin"])
    _call("cuModuleGetFunction", ctypes.byref(function), module, compiled.metadata.name.encode())
    return _Loaded(function, compiled.metadata.shared, _parameters(compiled.asm["ptx"]) - len(types))


def _parameters(ptx: str) -> int:
    """How many a kernel takes, of its assembly."""
    entry = re.search(r"\.entry\s+\w+\s*\((.*?)\)", ptx, re.DOTALL)
    return len(re.findall(r"\.param", entry[1])) if entry else 0


def _call(name: str, *arguments: Any) -> None:
    """Call the CUDA driver, in the context that PyTorch made current.

    Raises:
        RuntimeError: With the driver's error code.
    """
    code = getattr(_driver(), name)(*arguments)
    if code:
        raise RuntimeError(f"{name}: CUDA driver error {code}")


@cache
def _driver() -> ctypes.CDLL:
    return ctypes.CDLL("libcuda.so.1")
