"""Do time and memory before the first tile, and of bringing rows back in order, grow as the file does?

    python benchmarks/growth.py --rows 100000 1000000 10000000

What `--context tiled` does beside reading: every record of a made-up VCF is placed on the reference, kept
until its tile's turn has come, and given back in the order of the file. No model is read. A variant a base,
in the order of the contig and in none; each size in a process of its own.
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

import made_up
import numpy as np
import pyarrow as pa
from measure import Row, arguments, report, run_child

from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.runs.journal import Journal
from janusdna_cli.runs.rows import InOrder, numbered_by
from janusdna_cli.runs.streaming import spill
from janusdna_cli.variants.plan import plan_alleles
from janusdna_cli.variants.tiles import Tiles

_ANSWERED_AT_ONCE = 1024
_COLUMNS = [f"score_{number}" for number in range(20)]


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "growth")
    parser.add_argument("--rows", type=int, nargs="+", default=(100_000, 1_000_000))
    parser.add_argument("--order", nargs="+", default=("sorted", "shuffled"), choices=("sorted", "shuffled"))
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--once", action="store_true", help="in this process, as the others are started")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(measured(options.rows[0], options.order[0], options.window)), file=sys.stderr)
        return
    rows = []
    for order in options.order:
        for count in options.rows:
            command = [__file__, "--once", "--rows", count, "--order", order, "--window", options.window]
            _, peak, said = run_child([sys.executable, *map(str, command)])
            rows.append(json.loads(said.splitlines()[-1]) | {"peak memory, MB": peak / 1e6})
    report(rows, options.json)


def measured(count: int, order: str, window: int) -> Row:
    """One file of `count` records."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_variants(folder / "variants.vcf", made_up.write_genome(folder / "genome.fa", count), order)
        began = time.perf_counter()
        first, done = brought_back(folder, window)
    return {
        "order": order,
        "rows": done,
        "first tile after, s": first - began,
        "all rows back after, s": time.perf_counter() - began,
        "a row, us": (time.perf_counter() - began) / done * 1e6,
    }


def write_variants(path: Path, bases: str, order: str) -> None:
    """A substitution of every base."""
    places = list(range(len(bases)))
    if order == "shuffled":
        random.Random(0).shuffle(places)
    with path.open("w") as file:
        file.write("##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for at in places:
            file.write(f"chr1\t{at + 1}\t.\t{bases[at]}\t{'C' if bases[at] == 'A' else 'A'}\t.\t.\t.\n")


def brought_back(folder: Path, window: int) -> tuple[float, int]:
    """When the first tile was there, and how many rows came back."""
    first, done, waiting = 0.0, 0, []
    with (
        VariantReader.open(str(folder / "variants.vcf")) as records,
        Reference.open(folder / "genome.fa") as reference,
        Journal(folder / "waiting", is_lasting=False) as spilled,
        Tiles() as tiles,
    ):
        order = InOrder(lambda rows: spill(spilled, rows))
        tiles.fill(plan_alleles(records, reference, window, "tiled"))
        for members in tiles:
            first = first or time.perf_counter()
            waiting += [number for number, _ in members]
            if len(waiting) >= _ANSWERED_AT_ONCE:
                done += sum(rows.num_rows for rows in order.add(answers(waiting)))
                waiting = []
        return first, done + sum(rows.num_rows for rows in order.add(answers(waiting)))


def answers(numbers: list[int]) -> pa.Table:
    """Rows as wide as those of the table."""
    values = dict.fromkeys(_COLUMNS, np.full(len(numbers), -1.5, np.float32))
    return numbered_by(pa.table(values), numbers)


if __name__ == "__main__":
    main()
