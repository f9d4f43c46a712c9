"""How fast do some rows attend to a long window, and how far is that from the floor?

    python benchmarks/attention.py --window 131072 --rows 2 32 512

What ALT haplotypes, `delta_pll`, `influence` and embeddings ask for: rows of queries, each of which sees all
keys of a window but those beside it. By PyTorch's kernel for CPUs and by the compiled one, in one run,
alternated, with heads of the presets' sizes. `floor` is what its products would take at the rate at which
this machine multiplies square matrices, and its exponentials in the nearest cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from measure import Row, arguments, best, report

from janusdna.ops import attention
from janusdna.ops.cpu import attention as attention_cpu
from janusdna.ops.cpu.compiling import compiled
from janusdna.ops.cpu.simd import LANES, exp2, load, store
from janusdna.ops.cpu.threads import side_by_side

HEADS = 4
SIZES = (8, 18, 36)
SQUARE = 1024
# Values of an exponential that stay in the nearest cache, and how often it is taken.
CACHED, TIMES = 2048, 5000


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "attention")
    parser.add_argument("--window", type=int, default=131_072, help="keys of each head")
    parser.add_argument("--rows", type=int, nargs="*", default=(2, 32, 128, 512), help="queries")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="of heads")
    options = parser.parse_args()
    with torch.inference_mode():
        products, exponentials = product_rate(), exponential_rate()
        rows = [
            measure(options.window, count, size, products, exponentials)
            for size in options.sizes
            for count in options.rows
        ]
    report(rows, options.json)


def measure(window: int, rows: int, size: int, products: float, exponentials: float) -> Row:
    """Both kernels at one size; the rates are in operations and in exponentials a second."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, HEADS, count, size) for count in (rows, window, window))
    pytorch, compiled = alternated(
        [lambda: attention.attend(q, k, v, size**-0.5), lambda: attention_cpu.attend(q, k, v, size**-0.5)], 5
    )
    pairs = HEADS * rows * window
    floor = 4 * size * pairs / products + pairs / exponentials
    return {
        "head": size,
        "rows": rows,
        "PyTorch, ms": 1e3 * pytorch,
        "compiled, ms": 1e3 * compiled,
        "times as fast": pytorch / compiled,
        "floor, ms": 1e3 * floor,
        "over the floor": compiled / floor,
    }


def alternated(work: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Seconds of each one's fastest run, all of them after one that does not count."""
    seconds = [float("inf")] * len(work)
    for run in range(runs + 1):
        for i, one in enumerate(work):
            began = time.perf_counter()
            one()
            if run:
                seconds[i] = min(seconds[i], time.perf_counter() - began)
    return seconds


def product_rate() -> float:
    """Operations a second of square products on all threads."""
    a, b = torch.randn(SQUARE, SQUARE), torch.randn(SQUARE, SQUARE)
    return 2 * SQUARE**3 / best(lambda: a @ b, 10)


def exponential_rate() -> float:
    """Exponentials a second on all threads, each in its nearest cache."""
    threads = torch.get_num_threads()
    values = [-np.ones(CACHED, np.float32) for _ in range(threads)]
    work = [partial(_exponentials, own, np.empty_like(own), TIMES) for own in values]
    return CACHED * TIMES * threads / best(lambda: side_by_side(*work), 3)


@compiled
def _exponentials(values: Any, out: Any, times: int) -> None:
    for _ in range(times):
        for at in range(0, values.size, LANES):
            store(out, at, LANES, exp2(load(values, at, LANES)))


if __name__ == "__main__":
    main()
