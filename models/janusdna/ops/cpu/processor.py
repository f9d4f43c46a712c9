"""What the processor can do that kernels are compiled for: this one, or the one that NUMBA_CPU_NAME names."""

from __future__ import annotations

from functools import cache

import llvmlite.binding as llvm
from numba.core.registry import cpu_target

__all__ = ["has_wide_registers", "multiplies_bfloat16"]

_ROUNDED = """
define <16 x bfloat> @rounded(<16 x float> %x) {
  %y = fptrunc <16 x float> %x to <16 x bfloat>
  ret <16 x bfloat> %y
}
"""


@cache
def _machine_code() -> str:
    """Sixteen float32 rounded to bfloat16: by how it does that LLVM tells what it knows of a processor."""
    triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=name, features=features)
    return str(machine.emit_assembly(llvm.parse_assembly(_ROUNDED)))


def has_wide_registers() -> bool:
    """Whether a register holds sixteen float32, and there are 32 of them: AVX-512."""
    return "zmm" in _machine_code()


def multiplies_bfloat16() -> bool:
    """Whether it multiplies pairs of bfloat16 sixteen at a time: AVX-512 with BF16."""
    return "vcvtneps2bf16\t%zmm" in _machine_code()
