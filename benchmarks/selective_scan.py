"""How much faster than the plain loop is the selective scan's kernel, forward and backward?

    python benchmarks/selective_scan.py --length 16384 --channels 144

Softplus, skip and gate are part of both. The best of several runs each, in one process. Prints a
table and writes selective_scan.json (`--json`).
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch

from janusdna.ops import reference, scan_cpu


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--length", type=int, default=16_384)
    parser.add_argument("--channels", type=int, default=144)
    parser.add_argument("--json", type=Path, default=Path("selective_scan.json"))
    options = parser.parse_args()
    operands = make_operands(options.length, options.channels)
    with torch.no_grad():
        loop = best(lambda: reference.selective_scan(*operands), 2)
        kernel = best(lambda: scan_cpu.selective_scan(*operands), 20)
    both = best(lambda: backward(operands), 5)
    results = {"plain loop": loop, "kernel, forward": kernel, "kernel, forward and backward": both}
    print(f"T = {options.length:,}, d_in = {options.channels}, N = 16, {torch.get_num_threads()} threads")
    for name, seconds in results.items():
        print(f"{name:<30}{seconds * 1e3:>10.1f} ms{loop / seconds:>8.1f}x")
    options.json.write_text(json.dumps({"seconds": results} | vars(options), default=str, indent=2) + "\n")


def make_operands(length: int, channels: int) -> list[torch.Tensor]:
    """Random operands of one sequence, with the decay that a fresh network has."""
    torch.manual_seed(0)
    wide, narrow = (1, length, channels), (1, length, 16)
    decay = -torch.arange(1.0, 17).repeat(channels, 1)
    return [
        torch.randn(*wide),
        torch.randn(*wide) - 2,
        decay,
        torch.randn(*narrow),
        torch.randn(*narrow),
        torch.ones(channels),
        torch.randn(*wide),
    ]


def backward(operands: list[torch.Tensor]) -> None:
    """One step of training through the scan."""
    leaves = [operand.detach().requires_grad_() for operand in operands]
    scan_cpu.selective_scan(*leaves)[0].sum().backward()


def best(work: Callable[[], object], runs: int) -> float:
    """Seconds of the fastest run, after one that does not count."""
    work()
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
