"""The compiled kernels as processors without AVX-512 run them."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Numba adds what this processor has to one that is named, unless it is told that there is nothing to add.
# PyTorch stays as it is: told to have AVX2 alone it still sees AMX, and its attention in bfloat16 fails.
AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}
CHOSEN = {
    "test_row_kernels.py": "test_float32 and (20 or 72)",
    "test_mamba_kernel.py": "test_float32",
    "test_cpu_attention.py": "test_against_float64",
    "test_cpu_gradients.py": "fusion or attention",
    "test_model.py": "test_bfloat16_stays_close",
    "test_edits.py": "test_edits_in_bfloat16",
}
SAYS = "from janusdna.ops.cpu.processor import *; print(has_wide_registers(), multiplies_bfloat16())"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="AVX2 is of x86-64 processors")
def test_avx2(tmp_path: Path) -> None:
    environment = os.environ | AVX2 | {"NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)

    assert python("-c", SAYS).stdout.split() == ["False", "False"]
    files = [str(HERE / name) for name in CHOSEN]
    wanted = " or ".join(f"({Path(name).stem} and ({tests}))" for name, tests in CHOSEN.items())
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", wanted, *files)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
