"""How many substitutions a second does `mutagenesis` score, and what would a chromosome take?

    python benchmarks/mutagenesis.py --window 1024 --bases 20000
    python benchmarks/mutagenesis.py --window 131072 --bases 256 2048 --threads 1

The real task on a stretch of a made-up genome, both strands, from FASTA to Parquet, in a process of its own
for each row. Processor seconds are those of all threads: where others use the machine too they say more than
the seconds that went by. A window's pass serves all of its substitutions, so a stretch as long as the middle
half of a window is what counts; a shorter one pays the pass for fewer.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import made_up
from measure import Row, arguments, report, run_child

from janusdna_cli import MutagenesisSettings, score_every_allele

# Bases of GRCh38 that are A, C, G or T.
CHROMOSOMES = {"chr22": 39_159_782, "chr1": 230_481_012}
_DAY = 86_400


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "mutagenesis")
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--bases", type=int, nargs="+", default=(20_000,))
    parser.add_argument("--model", help="a model's name or directory; the bundled one where none is named")
    parser.add_argument("--scores", default="llr", help="as the command takes them")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--once", help="a FASTA, in this process, as the others are started")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(measured(options)), file=sys.stderr)
        return
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        fasta = Path(folder) / "genome.fa"
        made_up.write_genome(fasta, 2 * options.window + 2 * max(options.bases))
        for bases in options.bases:
            choices = ("--window", options.window, "--scores", options.scores, "--bases", bases)
            chosen = [("--model", options.model), ("--threads", options.threads)]
            more = [word for pair in chosen if pair[1] is not None for word in pair]
            command = [sys.executable, __file__, "--once", fasta, *choices, *more]
            _, peak, said = run_child([*map(str, command)])
            rows.append(json.loads(said.splitlines()[-1]) | {"peak memory, MB": peak / 1e6})
    report(rows, options.json)


def measured(options: object) -> Row:
    """One run over a stretch that begins where a window's middle half does."""
    window, [bases] = options.window, options.bases
    start = window // 4 + window // 2
    settings = MutagenesisSettings(
        fasta=options.once,
        region=(f"chr1:{start + 1}-{start + bases}",),
        window=window,
        model=options.model,
        scores=tuple(options.scores.split(",")),
        threads=options.threads,
        output=str(Path(options.once).with_name("map.parquet")),
        overwrite=True,
        quiet=True,
    )
    began, worked = time.perf_counter(), time.process_time()
    summary = score_every_allele(settings)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    alleles = sum(summary.counts.values())
    return {
        "window": window,
        "scores": options.scores,
        "alleles": alleles,
        "windows": summary.windows,
        "seconds": seconds,
        "processor s": processor,
        "alleles/s": alleles / seconds,
        "alleles/processor s": alleles / processor,
        **{f"{name}, processor days": 3 * n / alleles * processor / _DAY for name, n in CHROMOSOMES.items()},
    }


if __name__ == "__main__":
    main()
