"""How much memory does a step of training take, by width and window, and how fast is it?

    python benchmarks/training_memory.py --windows 1024 8192
    python benchmarks/training_memory.py --labels --presets janusdna-144 --recompute on --windows 16384 65536

One window at a time, forward and backward, as `janusdna pretrain` does, with --labels as `janusdna finetune`
does with a long sequence that is half padding, with the layers' activations kept and with `--recompute on`.
What is measured is how far the process grows at its peak. Windows that would not fit are left out.
"""

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from measure import Row, arguments, best, memory_growth, report

from janusdna import preset, tokens
from janusdna.finetuning import LabelledBatch, LabelLoss
from janusdna.labels import LabelTask
from janusdna.nn.labelled import LabelledNetwork
from janusdna.nn.model import JanusDNA
from janusdna.objectives import Example
from janusdna.ops.backends import choose_kernels
from janusdna.pretraining import PretrainingLoss
from janusdna.recipe import Recipe
from janusdna.training import Trainer
from janusdna_cli.runtime.memory import free_memory
from janusdna_cli.training.memory import bytes_per_base

# Where a step takes so long that one is enough.
LONG = 8192
CPU = torch.device("cpu")
PRESETS = ("janusdna-32", "janusdna-72", "janusdna-144")


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "training_memory")
    parser.add_argument("--windows", type=int, nargs="*", default=(1024, 8192))
    parser.add_argument("--presets", nargs="*", default=PRESETS)
    parser.add_argument("--recompute", choices=("on", "off", "both"), default="both")
    parser.add_argument("--labels", action="store_true", help="fine-tune on labels instead of pretraining")
    options = parser.parse_args()
    ways = {"on": (True,), "off": (False,), "both": (False, True)}[options.recompute]
    rows: list[Row] = []
    for name in options.presets:
        for recompute in ways:
            for window in options.windows:
                if (row := measure(name, window, recompute=recompute, labels=options.labels)) is not None:
                    rows.append(row)
                    report(rows, options.json)


def measure(name: str, window: int, *, recompute: bool, labels: bool) -> Row | None:
    """One step of one window; None where it would not fit."""
    config = preset(name)
    estimated = window * bytes_per_base(config, torch.float32, recompute=recompute)
    if estimated > free_memory(torch.device("cpu")) * 0.8:
        return None
    kernels = choose_kernels(CPU, torch.float32, states=config.state_size)
    network = JanusDNA(config, kernels).recompute(recompute)
    trainer, batch = labelled(network) if labels else masked(network)
    trainer.gradient([batch(16)])
    gc.collect()
    example = batch(window)
    began = time.perf_counter()
    grown = memory_growth(lambda: trainer.gradient([example]))
    seconds = time.perf_counter() - began
    if window <= LONG:
        seconds = best(lambda: trainer.gradient([example]), 3, warm_up=False)
    return {
        "preset": name,
        "window": window,
        "recompute": "on" if recompute else "off",
        "growth, bytes": grown,
        "bytes a base": None if grown is None else grown / window,
        "as estimated": estimated / window,
        "seconds": seconds,
        "bases a second": window / seconds,
    }


def masked(network: JanusDNA) -> tuple[Trainer[Any, Any], Callable[[int], Any]]:
    """A trainer of bases, and windows of any length."""

    def batch(length: int) -> Example:
        ids = bases(length)
        return Example(ids, ids, np.ones(ids.shape, np.float32))

    return Trainer(PretrainingLoss(network), Recipe()), batch


def labelled(network: JanusDNA) -> tuple[Trainer[Any, Any], Callable[[int], Any]]:
    """A trainer of two classes, and sequences of any length, of which the second half is padding."""
    task = LabelTask(kind="binary", labels=("0", "1"), strands="test")

    def batch(length: int) -> LabelledBatch:
        ids = bases(length)
        ids[:, length // 2 :] = tokens.encode("N")
        return LabelledBatch(ids, np.zeros(1, np.int64), np.ones(1, np.float32))

    return Trainer(LabelLoss(LabelledNetwork(network, task), task, aux=0.02), Recipe()), batch


def bases(length: int) -> npt.NDArray[np.uint8]:
    """Random bases, (1, length)."""
    return np.random.default_rng(0).integers(tokens.A, tokens.T + 1, (1, length)).astype(np.uint8)


if __name__ == "__main__":
    main()
