"""How much memory does a step of training take, by width and window, and how fast is it?

    python benchmarks/training_memory.py --windows 1024 8192

One window at a time, forward and backward, as `janusdna pretrain` does, with the layers' activations kept
and with `--recompute on`. What is measured is how far the process grows at its peak. Windows that would not
fit are left out.
"""

import gc

import numpy as np
import torch
from measure import Row, arguments, best, memory_growth, report

from janusdna import preset, tokens
from janusdna.nn.model import JanusDNA
from janusdna.objectives import Example
from janusdna.ops.backends import choose_kernels
from janusdna.pretraining import PretrainingLoss
from janusdna.recipe import Recipe
from janusdna.training import Trainer
from janusdna_cli.runtime.memory import free_memory
from janusdna_cli.training.memory import bytes_per_base

CPU = torch.device("cpu")
PRESETS = ("janusdna-32", "janusdna-72", "janusdna-144")


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "training_memory")
    parser.add_argument("--windows", type=int, nargs="*", default=(1024, 8192))
    parser.add_argument("--presets", nargs="*", default=PRESETS)
    options = parser.parse_args()
    rows = []
    for name in options.presets:
        for recompute in (False, True):
            rows += [row for window in options.windows if (row := measure(name, window, recompute=recompute))]
    report(rows, options.json)


def measure(name: str, window: int, *, recompute: bool) -> Row | None:
    """One step of one window; None where it would not fit."""
    config = preset(name)
    estimated = window * bytes_per_base(config, torch.float32, recompute=recompute)
    if estimated > free_memory(torch.device("cpu")) * 0.8:
        return None
    kernels = choose_kernels(CPU, torch.float32, states=config.state_size)
    network = JanusDNA(config, kernels).recompute(recompute)
    trainer = Trainer(PretrainingLoss(network), Recipe())
    ids = np.random.default_rng(0).integers(tokens.A, tokens.T + 1, (1, window)).astype(np.uint8)
    example = Example(ids, ids, np.ones(ids.shape, np.float32))
    trainer.gradient([example.part(0, 1)])
    gc.collect()
    grown = memory_growth(lambda: trainer.gradient([example]))
    seconds = best(lambda: trainer.gradient([example]), 1 if window > 8192 else 3, warm_up=False)
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


if __name__ == "__main__":
    main()
