"""How long, and in how much memory, does one variant take, by window?

    python benchmarks/one_variant.py --preset janusdna-72 1024 8192 131072

Each row is the real command in a process of its own, on a made-up genome and an untrained model of
the preset's size: both strands, one SNV. "After start" leaves out what the same command takes for a
window of 64 bases. "A further base" is one more than the row above has.
"""

import tempfile
from pathlib import Path

import made_up
from measure import Row, arguments, exponent, preset_option, report, run_janusdna

WINDOWS = (1024, 8192, 65_536, 131_072, 1_048_576)
SMALLEST = 64
# From here on what a window costs beside its bases no longer counts.
LONG = 65_536


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "one_variant")
    parser.add_argument("windows", type=int, nargs="*", default=WINDOWS)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--kv-dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    preset_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made_up.write_snv(
            folder / "one.vcf", made_up.write_genome(folder / "genome.fa", max(options.windows) + 1000)
        )
        made_up.write_model(folder / "model", options.preset)
        dtypes = ("--dtype", options.dtype, "--kv-dtype", options.kv_dtype)
        score(folder, SMALLEST, dtypes)  # compiles the kernels and indexes the genome
        started, least = fastest(folder, SMALLEST, dtypes)
        rows: list[Row] = []
        last, before = SMALLEST, least
        for window in sorted(options.windows):
            seconds, peak = fastest(folder, window, dtypes)
            rows.append(row(window, seconds, seconds - started, peak, (peak - before) / (window - last)))
            last, before = window, peak
    report([*rows, *growth(rows)], options.json)


def score(folder: Path, window: int, dtypes: tuple[str, ...]) -> tuple[float, int]:
    """Seconds and peak bytes of the command."""
    files = (folder / "one.vcf", "--fasta", folder / "genome.fa", "--model", folder / "model")
    output = ("--output", folder / "out.parquet", "--overwrite", "--quiet")
    return run_janusdna("score-variants", *files, *output, "--window", str(window), *dtypes)[:2]


def fastest(folder: Path, window: int, dtypes: tuple[str, ...]) -> tuple[float, int]:
    """Of three runs where the start counts for much, of one where the window does."""
    return min(score(folder, window, dtypes) for _ in range(3 if window < LONG else 1))


def row(window: int, seconds: float, net: float, peak: int, further: float) -> Row:
    """What a window takes; `net` of its seconds are its own, and `further` bytes those of each base added."""
    return {
        "window": window,
        "seconds": seconds,
        "after start": net,
        "kb/s": 2 * window / net / 1e3 if net > 0 else None,
        "peak MB": peak / 1e6,
        "bytes a further base": further,
    }


def growth(rows: list[Row]) -> list[Row]:
    """How time grows between the long windows."""
    long = [row for row in rows if row["window"] >= LONG]
    if len(long) < 2:
        return []
    windows = [row["window"] for row in long]
    found = exponent(windows, [row["after start"] for row in long])
    return [{"after start": "time", "from": windows[0], "to": windows[-1], "exponent": found}]


if __name__ == "__main__":
    main()
