"""It learns, and nothing about x_t leaks into its own prediction.

A count model of phage lambda stays near 1.98 bits per base. On random bases that were never seen nothing can
be below 2.00, and what is above is the network's own noise.
"""

import json
import random
from pathlib import Path

import pytest

from janusdna import objectives

SIZES = {
    "hidden_size": 32,
    "num_layers": 2,
    "intermediate_size": 64,
    "fusion_scale_width": 64,
    "num_experts": 4,
    "expert_layers": [1],
    "trained_length": 64,
}


def trained(work, fasta: str, *, steps: int, tokens: int = 2048) -> tuple[list[float], list[float]]:
    """Bits per base by step, and of the validations, after training on contig `seen`."""
    sizes = work.file("sizes.json", json.dumps(SIZES))
    result = work.run(
        *(
            "pretrain",
            "--fasta",
            fasta,
            "--preset",
            sizes,
            "-o",
            work.folder / "run",
            "--valid-contigs",
            "fresh",
        ),
        *("--tokens-per-step", tokens, "--batch-bp", 1024, "--max-steps", steps, "--valid-every", steps // 2),
        *("--lr", 0.02, "--weight-decay", 0),
    )
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (work.folder / "run" / "metrics.jsonl").read_text().splitlines()]
    return tuple(
        [line[field] for line in lines if field in line] for field in ("bits_per_base", "valid_bits_per_base")
    )


def test_it_learns_windows_that_it_sees_again_and_again(shared: Path, work) -> None:
    text = (shared / "data/genomes/lambda.fa").read_text()
    phage = "".join(line for line in text.splitlines() if not line.startswith(">"))
    made, _ = trained(work, work.fasta(seen=phage[:512], fresh=phage[20_000:22_000]), steps=200, tokens=512)
    assert made[0] > 1.95
    assert made[-1] < 1.0


@pytest.fixture
def random_genome(work) -> str:
    """More bases than are ever read twice, and as many that are never trained on."""
    chance = random.Random(11)
    return work.fasta(
        seen="".join(chance.choices("ACGT", k=400_000)), fresh="".join(chance.choices("ACGT", k=40_000))
    )


def test_random_bases_stay_at_two_bits(work, random_genome: str) -> None:
    made, held_out = trained(work, random_genome, steps=60)
    assert min(made) > 1.97
    # 2 * 40,000 predictions, whose mean is known to about 0.001 bits.
    assert min(held_out) > 1.997
    assert held_out[-1] < 2.003


def test_a_leak_would_show(work, random_genome: str, monkeypatch) -> None:
    monkeypatch.setitem(objectives.SEES, "janus", "all")
    _, held_out = trained(work, random_genome, steps=60)
    assert held_out[-1] < 1.5
