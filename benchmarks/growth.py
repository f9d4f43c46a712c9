"""Do time and memory of the program beside the model grow as the file does?

    python benchmarks/growth.py --rows 100000 1000000 10000000 --what tiled

The real commands, from file to Parquet, over a made-up VCF of SNVs and 3 % indels, in the order of the contig
or in none, over a BED, and over each base of a genome. The model answers at once with zeros: a million rows
would keep a real one busy for hours on a CPU. Each size in a process of its own.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import made_up
from host_side import answer_at_once
from measure import Row, arguments, report, run_child
from torch import Tensor

from janusdna import Model
from janusdna.reader import Reading
from janusdna_cli import (
    EmbedSettings,
    MutagenesisSettings,
    ScoreSettings,
    TrackSettings,
    embed_regions,
    make_track,
    score_every_allele,
    score_variants,
)
from janusdna_cli.runtime.summary import Summary

WHAT = ("tiled", "tiled shuffled", "centered", "embed", "mutagenesis", "track")
_PRESET = "janusdna-32"
_BASES_A_ROW = 5
_REGION = 100
# What reads all of the genome, and its rows for each base.
_WHOLE = {"mutagenesis": 3, "track": 1}


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "growth")
    parser.add_argument("--rows", type=int, nargs="+", default=(100_000, 1_000_000))
    parser.add_argument("--what", nargs="+", default=WHAT, choices=WHAT)
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--once", help="a folder of files, in this process, as the others are started")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(measured(Path(options.once), options.what[0], options.window)), file=sys.stderr)
        return
    rows: list[Row] = []
    for what in options.what:
        for count in options.rows:
            with tempfile.TemporaryDirectory() as folder:
                write_files(Path(folder), count, what)
                command = [__file__, "--once", folder, "--what", what, "--window", options.window]
                _, peak, said = run_child([sys.executable, *map(str, command)])
            rows.append(json.loads(said.splitlines()[-1]) | {"peak memory, MB": peak / 1e6})
    report(rows, options.json)


def write_files(folder: Path, count: int, what: str) -> None:
    """A genome, what makes about `count` rows of it, and a network."""
    made_up.write_model(folder / "model", _PRESET)
    if what in _WHOLE:
        made_up.write_genome(folder / "genome.fa", count // _WHOLE[what])
        return
    bases = made_up.write_genome(folder / "genome.fa", count * _BASES_A_ROW)
    vcf = folder / "variants.vcf"
    made_up.write_variants(vcf, bases, every=_BASES_A_ROW)
    if "shuffled" in what:
        lines = vcf.read_text().splitlines(keepends=True)
        header = sum(line.startswith("#") for line in lines)
        records = lines[header:]
        random.Random(0).shuffle(records)
        vcf.write_text("".join(lines[:header] + records))
    starts = (i * _BASES_A_ROW for i in range(count - _REGION))
    (folder / "regions.bed").write_text("".join(f"chr1\t{at}\t{at + _REGION}\n" for at in starts))


def measured(folder: Path, what: str, window: int) -> Row:
    """One run over the files in a folder."""
    first: list[float] = []

    def answer(model: Model, ids: Tensor, targets: Tensor, *, edits=(), layer="fused") -> Reading:
        first.append(time.perf_counter())
        return answer_at_once(model, ids, targets, edits=edits)

    began = time.perf_counter()
    with mock.patch.object(Model, "read", answer):
        summary = run(folder, what, window)
    seconds = time.perf_counter() - began
    rows = sum(summary.counts.values())
    return {
        "what": what,
        "rows": rows,
        "first window after, s": first[0] - began,
        "all after, s": seconds,
        "a row, us": seconds / rows * 1e6,
    }


def run(folder: Path, what: str, window: int) -> Summary:
    """The command, as its users run it."""
    model, fasta, output = (str(folder / name) for name in ("model", "genome.fa", "out.parquet"))
    common = {"fasta": fasta, "output": output, "model": model, "window": window, "quiet": True}
    if what == "mutagenesis":
        return score_every_allele(MutagenesisSettings(**common))
    if what == "track":
        return make_track(TrackSettings(**common))
    if what == "embed":
        return embed_regions(EmbedSettings(**common, regions=str(folder / "regions.bed")))
    context = "tiled" if "tiled" in what else "centered"
    return score_variants(ScoreSettings(**common, vcf=str(folder / "variants.vcf"), context=context))


if __name__ == "__main__":
    main()
