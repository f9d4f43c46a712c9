"""How fast is a whole VCF, every variant in the middle of its own window or many in one tile?

    python benchmarks/whole_vcf.py --window 1024
    python benchmarks/whole_vcf.py --vcf variants.vcf.gz --fasta genome.fa --model my-model

The real command from start to end, both strands, with the scores that it computes by default. Without
files of your own: a made-up contig of `--length` bases with a variant every 35, three in a hundred of
them indels, and an untrained model.
"""

import argparse
import re
import tempfile
from pathlib import Path

import made_up
import pyarrow.parquet as pq
from measure import Row, arguments, preset_option, report, run_janusdna


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "whole_vcf")
    parser.add_argument("--vcf", type=Path)
    parser.add_argument("--fasta", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--window", type=int, nargs="+", default=(1024,))
    parser.add_argument("--context", nargs="+", default=("tiled", "centered"), choices=("tiled", "centered"))
    parser.add_argument("--length", type=int, default=30_000, help="bases of the made-up contig")
    preset_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = made_up_files(folder, options)
        rows = [
            score(folder, files, window, context) for window in options.window for context in options.context
        ]
    report(rows, options.json)


def made_up_files(folder: Path, options: argparse.Namespace) -> list[str | Path]:
    """VCF, FASTA and model as the command's arguments, made where they are not given."""
    vcf, fasta, model = options.vcf, options.fasta, options.model
    if (vcf is None) != (fasta is None):
        raise SystemExit("--vcf and --fasta go together")
    if vcf is None:
        vcf, fasta = folder / "variants.vcf", folder / "genome.fa"
        made_up.write_variants(vcf, made_up.write_genome(fasta, options.length))
    return [vcf, "--fasta", fasta, "--model", model or made_up.write_model(folder / "model", options.preset)]


def score(folder: Path, files: list[str | Path], window: int, context: str) -> Row:
    """One run of the command."""
    output = folder / "scores.parquet"
    choices = ("--window", str(window), "--context", context, "--output", output, "--overwrite")
    seconds, peak, said = run_janusdna("score-variants", *files, *choices)
    windows = re.search(r"([\d,]+) windows", said)
    table = pq.read_table(output, columns=["status", "window_start"])
    alleles = table.num_rows
    return {
        "context": context,
        "window": window,
        "alleles": alleles,
        "ok": table.column("status").to_pylist().count("ok"),
        "windows": int(windows[1].replace(",", "")) if windows else None,
        "seconds": seconds,
        "alleles/s": alleles / seconds,
        "peak MB": peak / 1e6,
    }


if __name__ == "__main__":
    main()
