"""Sequences of which half have a motif, and runs that learn it."""

import json
import random
from pathlib import Path

import pytest

from ..conftest import save_model

MOTIF = "TGACTCAGCA"


def reverse_complement(bases: str) -> str:
    return bases[::-1].translate(str.maketrans("ACGT", "TGCA"))


def motif_table(path: Path, count: int = 120, *, seed: int = 1, length: int = 40) -> Path:
    """Half of the sequences have a motif, on either strand; some are longer than others."""
    chance = random.Random(seed)
    lines = ["id\tsequence\tlabel\tchrom\tpart"]
    for number in range(count):
        bases = chance.choices("ACGT", k=length + number % 3)
        if number % 2:
            at = chance.randrange(length - len(MOTIF))
            bases[at : at + len(MOTIF)] = chance.choice((MOTIF, reverse_complement(MOTIF)))
        part = "train" if number % 5 else ("valid", "test")[number // 10 % 2]
        lines.append(f"s{number}\t{''.join(bases)}\t{number % 2}\tchr{number % 6}\t{part}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finetune")
    save_model(folder / "tiny")
    motif_table(folder / "x.tsv")
    return folder


def words(place: Path, run: str, **changes: object) -> list[str]:
    chosen = {
        "model": place / "tiny",
        "output": place / run,
        "epochs": 3,
        "batch": 16,
        "lr": 3e-3,
        "threads": 2,
        "checkpoint_every": 2,
        "split": "part",
    } | changes
    flags = {True: [], False: None}
    given = ["finetune", str(changes.get("input", place / "x.tsv"))]
    for name, value in chosen.items():
        if name == "input" or value is None or value is False:
            continue
        given.append(f"--{name.replace('_', '-')}")
        given += flags.get(value, [str(value)]) if isinstance(value, bool) else [str(value)]
    return given


def report(run: Path) -> dict:
    return json.loads((run / "report.json").read_text())
