"""What is planted is learned from scratch; where there is nothing to learn, nothing is found."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from .conftest import MOTIF, reverse_complement

pytestmark = pytest.mark.long


def write_table(path: Path, rows) -> Path:
    path.write_text("sequence\tlabel\n" + "".join(f"{bases}\t{label}\n" for bases, label in rows))
    return path


def planted(chance: random.Random, count: int, word: str, length: int = 40) -> str:
    """So many copies of a word, which do not overlap; its letters are those of the rest in the mean."""
    bases = chance.choices("ACGT", k=length)
    places = chance.sample(range(length // len(word)), count)
    for place in places:
        at = place * len(word)
        bases[at : at + len(word)] = word
    return "".join(bases)


def learned(work, rows, **options) -> dict:
    table = write_table(work.folder / "x.tsv", rows)
    chosen = {"epochs": 4, "batch": 32, "lr": 1e-2, "baselines": "none"} | options
    words = [word for name, value in chosen.items() for word in (f"--{name.replace('_', '-')}", value)]
    result = work.run("finetune", table, "-m", work.model, "-o", "run", "--from-scratch", *words)
    assert result.exit_code == 0, result.output
    return json.loads(Path("run/report.json").read_text())["test"]["fine-tuned"]["metrics"]


@pytest.mark.parametrize("word", [MOTIF, reverse_complement(MOTIF)])
def test_a_motif_is_learned_from_scratch(work, word) -> None:
    """On the strand that is given, or on the other one alone."""
    chance = random.Random(1)
    rows = [(planted(chance, number % 2, word), number % 2) for number in range(2400)]
    assert learned(work, rows, epochs=8, valid_share=0.2)["accuracy"]["value"] > 0.98


def test_a_number_is_learned_that_gc_does_not_tell(work) -> None:
    """How often a word is there, of which half of the letters are G and C."""
    chance = random.Random(2)
    rows = []
    for number in range(2000):
        bases = planted(chance, number % 4, "GATCAGTC")
        rows.append((bases, number % 4 + chance.gauss(0, 0.05)))
    gc = np.array([sum(base in "GC" for base in bases) for bases, _ in rows])
    assert abs(np.corrcoef(gc, [label for _, label in rows])[0, 1]) < 0.1
    assert learned(work, rows, task="regression", epochs=5)["r2"]["value"] > 0.9


def test_shuffled_labels_teach_nothing(work) -> None:
    chance = random.Random(3)
    rows = [(planted(chance, number % 2, MOTIF), number % 2) for number in range(1000)]
    labels = [label for _, label in rows]
    chance.shuffle(labels)
    found = learned(work, [(bases, label) for (bases, _), label in zip(rows, labels, strict=True)], epochs=2)
    assert found["auroc"]["low"] <= 0.5 <= found["auroc"]["high"]
    assert found["accuracy"]["low"] <= 0.5 <= found["accuracy"]["high"]
