"""Tiles touch no memory but their own: what lies behind a buffer may belong to nobody."""

import subprocess
import sys

import pytest

# Arrays that end where memory ends: the page behind them may not be touched.
BEGIN = """
import ctypes, mmap
import numpy as np
from janusdna.ops.cpu.tiles import *

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]

def ending(values, dtype=np.float32):
    size = values * np.dtype(dtype).itemsize
    pages = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    at = libc.mmap(None, pages + mmap.PAGESIZE, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    assert libc.mprotect(ctypes.c_void_p(at + pages), mmap.PAGESIZE, 0) == 0
    kind = ctypes.c_char * size
    return np.frombuffer(kind.from_address(at + pages - size), dtype)

WIDTH = {width}
places = np.arange(WIDE) * WIDTH
"""
STEPS = {
    "gather": "gather_tile(ending(WIDE * WIDTH), places, WIDTH, np.zeros(tile_size(WIDTH), np.float32))",
    "scatter": "scatter_tile(ending(WIDE * WIDTH), 0, WIDTH, ending(WIDE * WIDTH), places, 0)",
    "scatter bfloat16": (
        "scatter_tile(ending(WIDE * WIDTH), 0, WIDTH, ending(WIDE * WIDTH, np.uint16), places, 0)"
    ),
    "multiply": "multiply(ending(5 * WIDE), ending(5 * WIDTH), 0, 5, WIDTH, ending(WIDTH * WIDE), 0)",
    "accumulate": "accumulate(ending(7 * WIDE), ending(7 * WIDTH), 0, WIDTH, 7, ending(WIDTH * WIDE))",
}


@pytest.mark.skipif(sys.platform != "linux", reason="pages are guarded as on Linux")
@pytest.mark.parametrize("width", [1, 18, 37])
def test_nothing_behind_a_buffer_is_touched(width: int) -> None:
    script = "\n".join([BEGIN.replace("{width}", str(width)), *STEPS.values()])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="pages are guarded as on Linux")
def test_the_guard_guards() -> None:
    script = (
        BEGIN.replace("{width}", "3")
        + "\nnp.frombuffer((ctypes.c_char * 8).from_address(ending(4).ctypes.data + 12)).sum()"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode < 0
