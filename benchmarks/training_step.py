"""How many tokens a second does a step of training process on a CPU, and how far is that from the floor?

    python benchmarks/training_step.py --preset janusdna-32 --windows 4 8 16

A step is what `janusdna pretrain` makes of two micro-batches: forward, the losses, backward and AdamW, in
float32. It runs on one thread; on all threads, which share out each operation; and with the micro-batches
side by side, a thread each, as `pretrain` does. `times plain` is against plain PyTorch on the same threads,
one step of it. `floor` is the share of the time that the matrix products of forward and backward, three times
those of forward alone, would take at the rate at which this machine multiplies such matrices.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from measure import Row, arguments, best, matrix_rate, operations, preset_option, report

from janusdna import PRESETS, tokens
from janusdna.nn.model import JanusDNA
from janusdna.objectives import Example
from janusdna.ops.backends import REFERENCE, Kernels, choose_kernels
from janusdna.pretraining import PretrainingLoss
from janusdna.recipe import Recipe
from janusdna.training import Trainer

WINDOWS = (4, 8, 16)
RUNS = 5
MICRO_BATCHES = 2


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "training_step")
    parser.add_argument("--windows", type=int, nargs="*", default=WINDOWS, help="windows of a micro-batch")
    parser.add_argument("--window", type=int, default=1024, help="bases of each")
    parser.add_argument("--plain", type=int, default=1, help="windows of plain PyTorch's micro-batch")
    preset_option(parser, "janusdna-32")
    options = parser.parse_args()
    states = PRESETS[options.preset].state_size
    kernels = choose_kernels(torch.device("cpu"), torch.float32, states=states)
    rows = [row for way in ways(torch.get_num_threads()) for row in measure(options, kernels, *way)]
    report(rows, options.json)


def ways(threads: int) -> list[tuple[str, int, int]]:
    """How a step can use the CPU: its name, the threads, the micro-batches side by side."""
    found = [("one thread", 1, 1)]
    if threads > 1:
        found += [(f"{threads} threads", threads, 1), ("side by side", MICRO_BATCHES, MICRO_BATCHES)]
    return found


def measure(options: argparse.Namespace, kernels: Kernels, name: str, threads: int, lanes: int) -> list[Row]:
    """Each size of micro-batch, beside plain PyTorch's and the floor's rate."""
    with using(threads):
        plain = tokens_per_second(options.preset, REFERENCE, options.plain, options.window, lanes, 1)
        network = JanusDNA(PRESETS[options.preset], kernels)
        floor = (
            options.window * matrix_rate(network) / (3 * operations(network, options.window, options.window))
        )
        rows = []
        for windows in options.windows:
            rate = tokens_per_second(options.preset, kernels, windows, options.window, lanes, RUNS)
            rows.append(
                {
                    "step": name,
                    "windows": windows,
                    "tokens/s": rate,
                    "plain PyTorch": plain,
                    "times plain": rate / plain,
                    "floor": rate / floor,
                }
            )
    return rows


def tokens_per_second(
    preset: str, kernels: Kernels, windows: int, window: int, lanes: int, runs: int
) -> float:
    """Of whole steps of the same untrained network."""
    torch.manual_seed(0)
    trainer = Trainer(PretrainingLoss(JanusDNA(PRESETS[preset], kernels)), Recipe(), lanes=lanes)
    rng = np.random.default_rng(0)
    shape = MICRO_BATCHES, windows, window
    ids = rng.integers(tokens.A, tokens.T + 1, shape).astype(np.uint8)
    micro_batches = [Example(own, own, np.ones(own.shape, np.float32)) for own in ids]
    return ids.size / best(lambda: trainer.step(micro_batches, 1), runs, warm_up=runs > 1)


@contextmanager
def using(threads: int) -> Iterator[None]:
    """So many threads for PyTorch and for the kernels."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    yield
    torch.set_num_threads(before)


if __name__ == "__main__":
    main()
