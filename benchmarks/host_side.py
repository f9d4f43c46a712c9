"""How many variants a second does the program serve when the model takes no time?

    python benchmarks/host_side.py --contig 400000

Records, reference bases, windows, scores and table of a made-up VCF as dense as a real one, with a model
that answers at once with zeros: what is left is what a fast GPU would wait for. `llr` alone, the default
scores, and windows on a grid.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from unittest import mock

import made_up
import torch
from measure import Row, arguments, report
from torch import Tensor

from janusdna import Model
from janusdna.reader import Reading
from janusdna_cli import ScoreSettings, score_variants

CASES = (("llr", "centered"), (None, "centered"), (None, "tiled"))


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "host_side")
    parser.add_argument("--contig", type=int, default=400_000, help="bases of the made-up genome")
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--preset", default="janusdna-72", help="whose hidden states are made up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bases = made_up.write_genome(folder / "genome.fa", options.contig)
        made_up.write_variants(folder / "variants.vcf", bases)
        made_up.write_model(folder / "model", options.preset)
        with mock.patch.object(Model, "read", answer_at_once):
            served(folder, options.window, *CASES[0])  # what is loaded once is not counted
            report([served(folder, options.window, *case) for case in CASES], options.json)


def answer_at_once(model: Model, ids: Tensor, targets: Tensor, *, edits=(), layer="fused") -> Reading:
    """As `Model.read`, of zeros."""

    def zeros(*shape: int, edits: tuple[Reading, ...] = ()) -> Reading:
        sizes = model.config.hidden_size, model.config.vocab_size
        return Reading(*(torch.zeros(*shape, size) for size in sizes), edits)

    return zeros(*targets.shape, edits=tuple(zeros(edit.stop - edit.first) for edit in edits))


def served(folder: Path, window: int, score: str | None, context: str) -> Row:
    """One run over the VCF."""
    settings = ScoreSettings(
        vcf=str(folder / "variants.vcf"),
        fasta=str(folder / "genome.fa"),
        model=str(folder / "model"),
        output=str(folder / "out.parquet"),
        scores=score and (score,),
        context=context,
        window=window,
        overwrite=True,
        quiet=True,
    )
    began = time.perf_counter()
    summary = score_variants(settings)
    seconds = time.perf_counter() - began
    alleles = sum(summary.counts.values())
    return {
        "scores": score or "default",
        "context": context,
        "window": window,
        "alleles": alleles,
        "seconds": seconds,
        "alleles/s": alleles / seconds,
    }


if __name__ == "__main__":
    main()
