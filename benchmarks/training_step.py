"""How many tokens a second does a step of training process on a CPU, and how far is that from the floor?

    python benchmarks/training_step.py --preset janusdna-32 --windows 4 8 16

A step is forward, the losses and backward, in float32. It runs on one thread; on all threads, which share
out each operation; and as a micro-batch for each thread, side by side. `times plain` is against plain PyTorch
on the same threads, one step of it. `floor` is the share of the time that the matrix products of forward and
backward, three times those of forward alone, would take at the rate at which this machine multiplies such
matrices.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from measure import Row, arguments, best, matrix_rate, operations, preset_option, report
from torch import Tensor

from janusdna import PRESETS, objectives
from janusdna.nn.model import JanusDNA
from janusdna.ops.backends import REFERENCE, Kernels, choose_kernels

WINDOWS = (4, 8, 16)
RUNS = 5

Step = Callable[[Tensor], None]


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "training_step")
    parser.add_argument("--windows", type=int, nargs="*", default=WINDOWS, help="sequences of a micro-batch")
    parser.add_argument("--window", type=int, default=1024, help="bases of each")
    parser.add_argument("--plain", type=int, default=1, help="sequences of plain PyTorch's micro-batch")
    preset_option(parser, "janusdna-32")
    options = parser.parse_args()
    states = PRESETS[options.preset].state_size
    kernels = choose_kernels(torch.device("cpu"), torch.float32, states=states)
    everyone = torch.get_num_threads()
    rows = [
        row
        for name, threads, side in ways(everyone)
        for row in measure(options, kernels, name, threads, side)
    ]
    report(rows, options.json)


def ways(threads: int) -> list[tuple[str, int, int]]:
    """How a step can use the CPU: its name, the threads of an operation, the micro-batches side by side."""
    found = [("one thread", 1, 1)]
    if threads > 1:
        found += [(f"{threads} threads", threads, 1), (f"{threads} micro-batches side by side", 1, threads)]
    return found


def measure(options: argparse.Namespace, kernels: Kernels, name: str, threads: int, side: int) -> list[Row]:
    """Each size of micro-batch, beside plain PyTorch's and the floor's rate."""
    network = build(options.preset, REFERENCE)
    plain = tokens_per_second(network, options.plain, options.window, threads, side, 1)
    network = build(options.preset, kernels)
    floor = floor_rate(network, options.window, threads * side)
    rows = []
    for windows in options.windows:
        rate = tokens_per_second(network, windows, options.window, threads, side, RUNS)
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


def build(preset: str, kernels: Kernels) -> JanusDNA:
    """The same untrained network for all of them."""
    torch.manual_seed(0)
    return JanusDNA(PRESETS[preset], kernels)


def make_step(network: JanusDNA) -> Step:
    """What a trainer does with a micro-batch, up to the gradients, which nobody adds up here."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]

    def step(ids: Tensor) -> None:
        prediction = network(ids)
        loss = objectives.prediction_loss(prediction.logits, ids)
        loss = loss + objectives.router_loss(prediction, network.config.router_aux_loss_coef)
        torch.autograd.grad(loss, parameters, allow_unused=True)

    return step


def tokens_per_second(
    network: JanusDNA, windows: int, window: int, threads: int, side: int, runs: int
) -> float:
    """Of steps over micro-batches that run side by side, each on `threads` threads."""
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randint(7, 11, (windows, window), generator=generator) for _ in range(side)]
    step = make_step(network)
    with using(threads):
        if side == 1:
            seconds = best(lambda: step(batches[0]), runs, warm_up=runs > 1)
        else:
            # PyTorch's number of threads is each thread's own.
            with ThreadPoolExecutor(side, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
                seconds = best(lambda: list(pool.map(step, batches)), runs, warm_up=runs > 1)
    return side * windows * window / seconds


def floor_rate(network: JanusDNA, window: int, threads: int) -> float:
    """Tokens a second if there were nothing but matrix products."""
    with using(threads):
        rate = matrix_rate(network)
    return window * rate / (3 * operations(network, window, window))


@contextmanager
def using(threads: int) -> Iterator[None]:
    """So many threads for PyTorch and for the kernels."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    yield
    torch.set_num_threads(before)


if __name__ == "__main__":
    main()
