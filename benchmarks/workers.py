"""Is a machine's work done sooner by several processes of few threads than by one of many?

    python benchmarks/workers.py --workers 1 2 --window 1024 8192

The real command over a made-up VCF as dense as a real one, centered windows; the machine's threads are
shared among the workers. Runs alternate, so that what else the machine does falls on all alike; memory is
that of all processes together, at its peak.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import made_up
from measure import Row, arguments, preset_option, report

_BETWEEN_SAMPLES = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "workers")
    parser.add_argument("--workers", type=int, nargs="+", default=(1, 2))
    parser.add_argument("--window", type=int, nargs="+", default=(1024, 8192))
    parser.add_argument("--length", type=int, default=30_000, help="bases of a contig at window 1,024")
    parser.add_argument("--runs", type=int, default=3)
    preset_option(parser, "janusdna-32")
    options = parser.parse_args()
    rows: list[Row] = []
    for window in options.window:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            length = max(2 * window, options.length * 1024 // window)
            made_up.write_variants(folder / "v.vcf", made_up.write_genome(folder / "g.fa", length))
            made_up.write_model(folder / "model", options.preset)
            found = [
                scored(folder, window, workers) for _ in range(options.runs) for workers in options.workers
            ]
        rows += [fastest([row for row in found if row["workers"] == workers]) for workers in options.workers]
    report(rows, options.json)


def fastest(rows: list[Row]) -> Row:
    """Of runs alike."""
    return min(rows, key=lambda row: row["seconds"])


def scored(folder: Path, window: int, workers: int) -> Row:
    """One run of the command."""
    command = [
        *(
            sys.executable,
            "-m",
            "janusdna_cli",
            "score-variants",
            folder / "v.vcf",
            "--fasta",
            folder / "g.fa",
        ),
        *("--model", folder / "model", "--window", window, "--workers", workers),
        *("-o", folder / "out.parquet", "--overwrite"),
    ]
    began = time.monotonic()
    # A session of its own tells which processes are the run's.
    process = subprocess.Popen(
        list(map(str, command)), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(_BETWEEN_SAMPLES)
    assert process.stderr is not None
    said = process.stderr.read()
    read = re.search(r"([\d,]+) windows", said)
    if process.returncode or read is None:
        raise SystemExit(f"failed: {said}")
    seconds = time.monotonic() - began
    bases = int(read[1].replace(",", "")) * window
    return {
        "window": window,
        "workers": workers,
        "windows": int(read[1].replace(",", "")),
        "seconds": seconds,
        "kb/s": bases / seconds / 1000,
        "peak memory of all, MB": peak / 1e6,
    }


def resident(session: int) -> int:
    """Bytes in memory of all processes of a session; what they share counts for each."""
    total = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            total += int(fields[21]) * _PAGE
    return total


if __name__ == "__main__":
    main()
