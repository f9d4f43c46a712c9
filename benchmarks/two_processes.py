"""How do trainings of two processes end?

What goes wrong once in ten runs, after the work is done, shows in exit codes alone.

python benchmarks/two_processes.py --runs 100
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from made_up import write_genome
from measure import arguments, report

SIZES = {
    "hidden_size": 16,
    "num_layers": 2,
    "intermediate_size": 32,
    "fusion_scale_width": 32,
    "num_experts": 4,
    "expert_layers": [1],
    "trained_length": 64,
}


def main() -> None:
    """Run, count and report."""
    parser = arguments(__doc__, "two_processes")
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    ends: Counter[tuple[int, ...]] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_genome(folder / "genome.fa", 20_000)
        (folder / "sizes.json").write_text(json.dumps(SIZES), "utf-8")
        for number in range(options.runs):
            codes, said = train(folder)
            ends[codes] += 1
            print(f"run {number + 1}: exit codes {codes}", *(said if any(codes) else ()), flush=True)
    rows = [{"exit codes": " ".join(map(str, codes)), "runs": count} for codes, count in ends.items()]
    report(rows, options.json)


def train(folder: Path) -> tuple[tuple[int, ...], list[str]]:
    """Exit codes of both processes of a short run, and what they said."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    where = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    command = [
        *(sys.executable, "-m", "janusdna_cli", "pretrain", "--fasta", str(folder / "genome.fa")),
        *("--preset", str(folder / "sizes.json"), "-o", str(folder / "run"), "--overwrite", "--threads", "1"),
        *("--tokens-per-step", "512", "--max-steps", "3", "--valid-every", "2", "--quiet"),
    ]
    started = [
        subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | where | {"RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in "01"
    ]
    said = [process.communicate()[1] for process in started]
    return tuple(process.returncode for process in started), said


if __name__ == "__main__":
    main()
