"""The Triton kernels compile for GPUs that are not here, and hold what they work on in registers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
KERNELS = {
    "scan": {"_last_states", "_from_chunk_to_chunk", "_scan", "_first_gradients", "_scan_backward"},
    "conv": {"_forward", "_backward"},
    "norm": {"_forward", "_backward"},
    "targets": {"_attend"},
    "swiglu": {"_forward", "_backward"},
}


def start(script: str, cache: Path, *arguments: str) -> subprocess.Popen[str]:
    """A script that compiles kernels instead of interpreting them."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(cache)
    command = [sys.executable, HERE / script, *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def printed(process: subprocess.Popen[str]) -> str:
    said, wrong = process.communicate()
    assert process.returncode == 0, wrong
    return said


def test_kernels_compile(tmp_path: Path) -> None:
    """For both generations side by side, in one test: a process that nobody waits for is left running."""
    pytest.importorskip("triton")
    spills = {"80": 128, "90": 0}  # a little of the scan's gradient does not fit into an A100's registers
    compiling = {
        capability: start("triton_offline.py", tmp_path / capability, capability) for capability in spills
    }
    said = {capability: printed(process) for capability, process in compiling.items()}
    for capability, allowed in spills.items():
        found = [line.split() for line in said[capability].splitlines()]
        assert {(file, kernel) for file, kernel, *_ in found} == {
            (file, kernel) for file, kernels in KERNELS.items() for kernel in kernels
        }
        assert all(int(spilled) <= allowed for *_, spilled in found), (capability, found)


def test_a_kernel_is_handed_to_the_driver_where_there_is_no_compiler(tmp_path: Path) -> None:
    pytest.importorskip("triton")
    said = json.loads(printed(start("triton_by_driver.py", tmp_path)))
    load, get, first, second = said["asked"]
    assert load == {"call": "load", "is_elf": True}
    assert (get["call"], get["name"]) == ("get", "_forward")
    rows = said["rows"]
    assert first["sizes"] == [-(-1000 // rows), 1, 1, 128, 1, 1]
    assert first["stream"] == 7
    pointers, sizes, eps, hidden = (
        first["values"][:3],
        first["values"][3:6],
        *first["values"][6:7],
        first["values"][7:],
    )
    assert pointers == said["pointers"]
    assert sizes == [1000, 72, 72]
    assert eps == pytest.approx(1e-6)
    # Triton's scratch, which this kernel does not use.
    assert hidden == [None] * len(hidden)
    # Loaded once, launched twice.
    assert (second["call"], second["values"][:2]) == ("launch", pointers[:2])
