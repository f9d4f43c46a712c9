"""What does bfloat16 change of the scores, and what does it gain?

    python benchmarks/precision.py --window 1024
    python benchmarks/precision.py --vcf variants.vcf.gz --fasta genome.fa --model my-model

The real command on the same VCF, with llr and delta_pll of every allele: in float32, with keys and values
alone in bfloat16 (`--kv-dtype`), and all in bfloat16 (`--dtype`). Files are made up where none are given, as
by whole_vcf.py. An untrained model's scores lie close together: for what bfloat16 does to yours, give one
that is trained.
"""

import tempfile
from pathlib import Path

import pandas as pd
from measure import Row, arguments, preset_option, report, run_janusdna
from whole_vcf import made_up_files

SCORES = ("llr", "delta_pll")
DTYPES = {
    "float32": ("--dtype", "float32"),
    "keys and values bfloat16": ("--dtype", "float32", "--kv-dtype", "bfloat16"),
    "bfloat16": ("--dtype", "bfloat16"),
}


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "precision")
    parser.add_argument("--vcf", type=Path)
    parser.add_argument("--fasta", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--context", default="tiled", choices=("tiled", "centered"))
    parser.add_argument("--length", type=int, default=5000, help="bases of the made-up contig")
    preset_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = made_up_files(folder, options)
        choices = ("--window", str(options.window), "--context", options.context)
        score(folder, files, (*choices, *DTYPES["float32"]))  # compiles the kernels and indexes the genome
        runs = {name: score(folder, files, (*choices, *dtypes)) for name, dtypes in DTYPES.items()}
    exact, exact_seconds = runs.pop("float32")
    report(
        [
            compare(name, score, exact[score], scores[score], seconds / exact_seconds)
            for name, (scores, seconds) in runs.items()
            for score in SCORES
        ],
        options.json,
    )


def score(folder: Path, files: list[str | Path], choices: tuple[str, ...]) -> tuple[pd.DataFrame, float]:
    """The scores of one run, and its seconds."""
    output = folder / "scores.parquet"
    asked = ("--scores", ",".join(SCORES), "--output", output, "--overwrite", "--quiet")
    seconds, _, _ = run_janusdna("score-variants", *files, *choices, *asked)
    return pd.read_parquet(output, columns=list(SCORES)), seconds


def compare(name: str, score: str, exact: pd.Series, other: pd.Series, time: float) -> Row:
    """How far `other` lies from `exact`, over the alleles that have both."""
    both = exact.notna() & other.notna()
    exact, other = exact[both], other[both]
    return {
        "computed in": name,
        "score": score,
        "alleles": int(both.sum()),
        "rank correlation": float(exact.rank().corr(other.rank())),
        "largest difference": float((other - exact).abs().max()),
        "spread of the score": float(exact.std()),
        "time against float32": time,
    }


if __name__ == "__main__":
    main()
