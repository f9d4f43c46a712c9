"""How long, and in how much memory, does one variant take, by window?

    python benchmarks/one_variant.py --preset janusdna-72 1024 8192 131072

Each row is the real command in a process of its own, on a made-up genome and an untrained model of
the preset's size: both strands, one SNV. `started` is what the same command takes for a window of 64
bases, start-up and all. Prints a table and writes one_variant.json beside it (`--json`).
"""

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from pathlib import Path

import torch

from janusdna import PRESETS
from janusdna.checkpoint import Checkpoint, save
from janusdna.nn.model import JanusDNA

SMALLEST = 64


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("windows", type=int, nargs="+")
    parser.add_argument("--preset", default="janusdna-72", choices=PRESETS)
    parser.add_argument("--json", type=Path, default=Path("one_variant.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options.preset, max(options.windows))
        score(folder, SMALLEST)  # compiles the kernels and indexes the genome
        started, base = score(folder, SMALLEST)
        rows = [(window, *score(folder, window)) for window in options.windows]
    print(
        f"{options.preset}, {torch.get_num_threads()} threads, {platform.processor() or platform.machine()}"
    )
    print(f"{'window':>10}{'seconds':>10}{'after start':>13}{'kb/s':>8}{'peak MB':>9}{'bytes/base':>12}")
    results = []
    for window, seconds, peak in rows:
        net = seconds - started
        rate, each = 2 * window / net / 1e3, (peak - base) / window
        print(f"{window:>10,}{seconds:>10.1f}{net:>13.1f}{rate:>8.1f}{peak / 1e6:>9.0f}{each:>12.0f}")
        results.append({"window": window, "seconds": seconds, "started": started, "peak_bytes": peak})
    options.json.write_text(json.dumps({"preset": options.preset, "rows": results}, indent=2) + "\n")


def prepare(folder: Path, preset: str, length: int) -> None:
    """A genome of random bases, one SNV in its middle, an untrained model."""
    bases = random.Random(0).choices("ACGT", k=length + 1000)
    middle = len(bases) // 2
    (folder / "genome.fa").write_text(">chr1\n" + "".join(bases) + "\n")
    alt = "A" if bases[middle] != "A" else "C"
    (folder / "one.vcf").write_text(
        "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        f"chr1\t{middle + 1}\t.\t{bases[middle]}\t{alt}\t.\t.\t.\n"
    )
    network = JanusDNA(PRESETS[preset])
    tensors = {name: parameter.detach() for name, parameter in network.named_parameters()}
    save(Checkpoint(preset, network.config, tensors, "", {"trained": False}), folder / "model")


def score(folder: Path, window: int) -> tuple[float, int]:
    """Seconds and peak bytes of the command."""
    command = [sys.executable, "-m", "janusdna_cli", "score-variants", str(folder / "one.vcf")]
    command += ["--fasta", str(folder / "genome.fa"), "--model", str(folder / "model"), "--quiet"]
    command += ["--window", str(window), "--output", str(folder / "out.parquet"), "--overwrite"]
    began = time.monotonic()
    process = os.posix_spawn(sys.executable, command, os.environ | {"PYTHONWARNINGS": "ignore"})
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.monotonic() - began, usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
