"""Does it pay to predict every base from all others, instead of masked ones from the rest?

    python benchmarks/janus_vs_mlm.py
    python benchmarks/janus_vs_mlm.py --fasta genome.fa --intervals splits.bed --widths 16 --seeds 0

The same network, the same windows in the same order, the same recipe; trained once with `janus` and once with
`mlm` (15 % of the bases, 80/10/10), for each width and seed. Each is examined on held-out windows, both
strands, in the way it was trained: bases of which the network is told everything else. For `janus` they are
read as they stand, for `mlm` all of them are masked, one in 32.

    accuracy, last    how often the likeliest base is the true one at a window's last base
    bits per base     -log2 p of the true base, among A, C, G and T, over all bases examined

Seconds are those of the steps alone, without the examinations. Without files of your own: 21 Mb of human
sequence in ../shared/data, if it is there.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from baselines import files, human_data
from measure import Row, arguments, report
from torch import Tensor

from janusdna import ModelConfig, preset, tokens
from janusdna.nn.model import JanusDNA
from janusdna.objectives import SEES
from janusdna.ops.backends import choose_kernels
from janusdna.pretraining import PretrainingLoss
from janusdna.reader import resolve_device
from janusdna.recipe import OPTIMIZERS, Objective, Recipe
from janusdna.training import Trainer
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.genomes import GenomeFile
from janusdna_cli.genome.splits import read_splits
from janusdna_cli.training.corpus import Corpus
from janusdna_cli.training.micro_batches import Batching, steps
from janusdna_cli.training.settings import DrawSettings

COMPARED: tuple[Objective, ...] = ("janus", "mlm")
APART = 32
_BATCH = 64


class Exam(NamedTuple):
    """Held-out windows with the bases to predict.

    Attributes:
        ids: Both strands of each, (B, T).
        targets: 0-based, the last base at the end, (n,).
    """

    ids: Tensor
    targets: Tensor


def main() -> None:
    """Train, examine and report."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        fasta, intervals = human_data(Path(name)) if options.fasta is None else files(options)
        with Reference.open(fasta) as reference:
            splits = read_splits(intervals, reference.lengths, fasta)
        rows = []
        for width in options.widths:
            for seed in options.seeds:
                settings = DrawSettings(length=options.window, seed=seed, shift=True)
                corpus, held_out = (
                    Corpus([GenomeFile(fasta)], splits[name], settings) for name in ("train", "valid")
                )
                exam = prepare(held_out, options)
                for objective in COMPARED:
                    rows += course(objective, width, seed, corpus, exam, options)
    report([*summary(rows), *rows], options.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "janus_vs_mlm")
    parser.add_argument("--fasta", type=Path)
    parser.add_argument("--intervals", type=Path, help="BED with train or valid in column 4")
    parser.add_argument("--widths", type=int, nargs="+", default=(16, 32))
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--windows", type=int, default=32, help="of a step")
    parser.add_argument("--every", type=int, default=50, help="steps between examinations")
    parser.add_argument("--held-out", type=int, default=512, help="windows of an examination")
    parser.add_argument("--optimizer", default="muon", choices=OPTIMIZERS)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def prepare(held_out: Corpus, options: argparse.Namespace) -> Exam:
    """The windows of every examination of a seed."""
    ids = np.stack([sample.ids for sample in held_out.held_out(options.held_out)])
    targets = np.arange(options.window - 1, -1, -APART)[::-1].copy()
    device = resolve_device(options.device)
    return Exam(torch.from_numpy(ids).long().to(device), torch.from_numpy(targets).to(device))


def course(
    objective: Objective, width: int, seed: int, corpus: Corpus, exam: Exam, options: argparse.Namespace
) -> Iterator[Row]:
    """One network's examinations, from the first steps to the last."""
    device = resolve_device(options.device)
    torch.manual_seed(seed)
    kernels = choose_kernels(device, torch.float32, states=sizes(width).state_size)
    network = JanusDNA(sizes(width), kernels).to(device)
    recipe = Recipe(max_steps=options.steps, optimizer=options.optimizer, lr=options.lr)
    lanes = min(torch.get_num_threads(), 2) if device.type == "cpu" else 1
    trainer = Trainer(PretrainingLoss(network, objective), recipe, lanes=lanes)
    batching = Batching(objective=objective, windows=options.windows, batch=max(1, options.windows // lanes))
    spent = 0.0
    for step in steps(corpus, batching, 1, options.steps):
        began = time.perf_counter()
        trainer.step(step.micro_batches, step.number)
        spent += time.perf_counter() - began
        if step.number % options.every == 0 or step.number == options.steps:
            found = {"objective": objective, "width": width, "seed": seed, "step": step.number}
            yield found | {"seconds": spent} | examine(network, objective, exam)
    print(f"{objective}, width {width}, seed {seed}: {spent:.0f} s", flush=True)


def sizes(width: int) -> ModelConfig:
    """The smallest preset's, at another width."""
    small = preset("janusdna-32")
    scale = small.fusion_scale_width // small.hidden_size
    return dataclasses.replace(
        small, hidden_size=width, intermediate_size=4 * width, fusion_scale_width=scale * width
    )


@torch.no_grad()
def examine(network: JanusDNA, objective: Objective, exam: Exam) -> Row:
    """What a network makes of the held-out windows, all bases that are A, C, G or T."""
    bits, right, last = [], [], []
    for ids in exam.ids.split(_BATCH):
        targets = exam.targets.expand(len(ids), -1)
        true = ids.gather(1, targets)
        seen = ids.scatter(1, targets, tokens.MASK) if objective == "mlm" else ids
        logits = network(seen, targets, sees=SEES[objective]).logits[..., tokens.ACGT].double()
        counted = (true >= tokens.A) & (true <= tokens.T)
        base = (true - tokens.A).clamp(0, 3)
        logp = logits.log_softmax(-1).gather(-1, base[..., None])[..., 0]
        hit = (logits.argmax(-1) == base).double()
        bits.append(-logp[counted] / np.log(2))
        right.append(hit[counted])
        last.append(hit[:, -1][counted[:, -1]])
    return {
        "accuracy, last": float(torch.cat(last).mean()),
        "accuracy": float(torch.cat(right).mean()),
        "bits per base": float(torch.cat(bits).mean()),
    }


def summary(rows: Sequence[Row]) -> Iterator[Row]:
    """Of each width: both at the end, and how soon janus is where mlm ends; means over the seeds."""
    for width in dict.fromkeys(row["width"] for row in rows):
        janus, mlm = (
            averaged(row for row in rows if row["width"] == width and row["objective"] == name)
            for name in COMPARED
        )
        behind = [each["step"] for each, other in zip(janus, mlm, strict=True) if worse(each, other)]
        there = next((each for each in janus if not worse(each, mlm[-1])), None)
        yield {
            "width": width,
            "bits, janus": janus[-1]["bits per base"],
            "bits, mlm": mlm[-1]["bits per base"],
            "last, janus": janus[-1]["accuracy, last"],
            "last, mlm": mlm[-1]["accuracy, last"],
            "seconds, janus": janus[-1]["seconds"],
            "seconds, mlm": mlm[-1]["seconds"],
            "behind at steps": ", ".join(f"{step:.0f}" for step in behind) or "none",
            "mlm's end reached, times the steps": there and mlm[-1]["step"] / there["step"],
            "times the seconds": there and mlm[-1]["seconds"] / there["seconds"],
        }


def averaged(rows: Iterable[Row]) -> list[Row]:
    """Rows of each step, averaged over the seeds."""
    by_step: dict[int, list[Row]] = {}
    for row in rows:
        by_step.setdefault(row["step"], []).append(row)
    numbers = ("step", "seconds", "accuracy, last", "accuracy", "bits per base")
    return [
        {name: float(np.mean([row[name] for row in own])) for name in numbers} for own in by_step.values()
    ]


def worse(one: Row, other: Row) -> bool:
    """Whether one needs more bits."""
    return bool(one["bits per base"] > other["bits per base"])


if __name__ == "__main__":
    main()
