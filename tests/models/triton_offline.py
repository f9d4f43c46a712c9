"""Compiles every Triton kernel for a GPU that is not here, as a launch with these operands would.

Prints a line a kernel: its file, its name, the registers of a thread and the bytes it spills.

    python triton_offline.py 90      # for compute capability 9.0
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton.backends.nvidia
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from janusdna.ops.triton import conv as conv_triton
from janusdna.ops.triton import norm as norm_triton
from janusdna.ops.triton import scan as scan_triton
from janusdna.ops.triton import swiglu as swiglu_triton
from janusdna.ops.triton import targets as targets_triton

CUOBJDUMP = Path(triton.backends.nvidia.__path__[0]) / "bin" / "cuobjdump"
launch = JITFunction.run


class AbsentGPU:
    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.capability, 32)


def compile_only(kernel: Any, *operands: Any, grid: Any, warmup: bool, **options: Any) -> Any:
    compiled = launch(kernel, *operands, grid=grid, warmup=True, **options)
    print(Path(kernel.fn.__code__.co_filename).stem, kernel.fn.__name__, *resources(compiled.asm["cubin"]))
    return compiled


def resources(cubin: bytes) -> tuple[int, int]:
    """Registers of a thread, and bytes of its stack, where it spills."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        said = subprocess.run(
            [CUOBJDUMP, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True
        )
    found = re.search(r"REG:(\d+) STACK:(\d+)", said.stdout)
    assert found is not None
    return int(found[1]), int(found[2])


def run_all(dtype: torch.dtype) -> None:
    def draw(*shape: int, dtype: torch.dtype = dtype) -> torch.Tensor:
        return torch.zeros(*shape, dtype=dtype, requires_grad=True)

    batch, length, inner, states, hidden = 2, 2000, 144, 16, 72
    wide, narrow = (batch, length, inner), (batch, length, states)
    y, last = scan_triton.selective_scan(
        draw(*wide),
        draw(*wide),
        draw(inner, states, dtype=torch.float32),
        draw(*narrow),
        draw(*narrow),
        draw(inner, dtype=torch.float32),
        draw(*wide),
        reverse=True,
    )
    (y.sum() + last.sum()).backward()
    conv_triton.conv_silu(draw(*wide), draw(inner, 4), draw(inner), reverse=True).sum().backward()
    norm_triton.rms_norm(draw(*wide[:2], hidden, dtype=torch.float32), draw(hidden), 1e-6).sum().backward()
    swiglu_triton.swiglu(draw(*wide[:2], 8 * hidden)).sum().backward()
    for targets in (1, 300):
        q, keys = (
            torch.zeros(8, 4, 2 * targets, 24, dtype=dtype),
            torch.zeros(8, 4, 2 * length, 24, dtype=dtype),
        )
        at = torch.zeros(8, targets, dtype=torch.long)
        targets_triton.target_attention(q, keys, keys, at, 0.3)


if __name__ == "__main__":
    driver.set_active(AbsentGPU(int(sys.argv[1])))
    JITFunction.run = compile_only
    run_all(torch.bfloat16)
