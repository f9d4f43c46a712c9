"""benchmarks/biology.py and janus_vs_mlm.py, on a small made-up genome."""

import json
import random

import numpy as np
import pytest
import torch

from janusdna.objectives import SEES


@pytest.fixture
def genome(tmp_path):
    """A FASTA and its splits; the valid part begins with bases of the train part and a microsatellite."""
    chance = random.Random(3)
    made = "".join(chance.choices("ACGT", k=3000))
    held = made[:40] + "CA" * 20 + "".join(chance.choices("ACGT", k=600))
    (tmp_path / "g.fa").write_text(f">c\n{made}{held}\n")
    (tmp_path / "splits.bed").write_text(f"c\t0\t3000\ttrain\nc\t3000\t{3000 + len(held)}\tvalid\n")
    return "--fasta", tmp_path / "g.fa", "--intervals", tmp_path / "splits.bed"


def rows_of(path, field):
    return [row for row in json.loads(path.read_text())["rows"] if field in row]


def test_biology_says_what_is_where(run, genome, tmp_path):
    junctions = ["".join(random.Random(seed).choices("ACGT", k=60)) for seed in range(4)]
    lines = [f"{kind}, NAME-{kind}, {junctions[i]}" for i, kind in enumerate(("EI", "IE", "N", "N"))]
    (tmp_path / "splice.data").write_text("\n".join([*lines, "N, SHORT, ACGTN"]) + "\n")
    run(
        "biology",
        *genome,
        "--splice",
        tmp_path / "splice.data",
        "--window",
        128,
        "--json",
        tmp_path / "out.json",
    )
    kinds = {row["bases"]: row for row in rows_of(tmp_path / "out.json", "bases")}
    assert kinds["all"]["number"] == 680
    assert 40 <= kinds["tandem repeats"]["number"] <= 44
    parts = [kinds[name] for name in kinds if name != "all"]
    assert sum(row["number"] for row in parts) == 680
    weighted = sum(row["number"] * row["bits per base"] for row in parts) / 680
    assert weighted == pytest.approx(kinds["all"]["bits per base"])
    # A model that knows DNA goes on with a microsatellite.
    assert kinds["tandem repeats"]["bits per base"] < kinds["the rest"]["bits per base"] - 0.5
    numbers = {
        (row["substitution"], row["where"]): row["number"]
        for row in rows_of(tmp_path / "out.json", "substitution")
    }
    assert len(numbers) == 9
    assert numbers["T>A", "elsewhere"] == numbers["T>C", "elsewhere"] > numbers["C>A", "CpG"] > 0
    places = rows_of(tmp_path / "out.json", "junction")
    assert [row["sequences"] for row in places[::60]] == [1, 1, 2]
    assert [row["offset"] for row in places[:60]] == [*range(-30, 0), *range(1, 31)]


def test_janus_and_mlm_are_compared_on_the_same_windows(run, genome, tmp_path):
    small = ("--widths", 4, "--seeds", 0, 1, "--steps", 2, "--every", 1, "--window", 64, "--windows", 2)
    printed = run("janus_vs_mlm", *genome, *small, "--held-out", 2, "--json", tmp_path / "out.json")
    rows = rows_of(tmp_path / "out.json", "objective")
    assert [(row["objective"], row["seed"], row["step"]) for row in rows] == [
        (objective, seed, step) for seed in (0, 1) for objective in ("janus", "mlm") for step in (1, 2)
    ]
    assert all(row["seconds"] > 0 and 1.5 < row["bits per base"] < 2.5 for row in rows)
    (summary,) = rows_of(tmp_path / "out.json", "bits, janus")
    ends = [row["bits per base"] for row in rows if row["objective"] == "janus" and row["step"] == 2]
    assert summary["bits, janus"] == pytest.approx(np.mean(ends))
    assert "janus, width 4, seed 0:" in printed


def test_an_examination_hides_what_it_asks_for_from_mlm_alone(module):
    comparison = module("janus_vs_mlm")

    class Network:
        """Knows each base that it is shown, and takes the others for A."""

        def __call__(self, ids, targets, sees):
            assert sees == SEES["mlm"]
            seen = ids.gather(1, targets)
            seen = torch.where((seen >= 7) & (seen <= 10), seen, 7)
            logits = torch.nn.functional.one_hot(seen, 16) * 50.0
            return type("Prediction", (), {"logits": logits})

    ids = torch.tensor([[7, 8, 9, 10, 4, 7, 8, 7], [8, 8, 9, 10, 7, 10, 9, 8]])
    exam = comparison.Exam(ids, torch.tensor([0, 4, 7]))
    found = comparison.examine(Network(), "mlm", exam)
    # A is the answer to all: right for three of the five bases (one is [PAD]), and one of the two last.
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["accuracy, last"] == pytest.approx(1 / 2)
