"""What does one more variant in a tile cost?

    python benchmarks/tile.py --window 8192 131072 --snvs 1 10 100 1000 --indels 0 1 4 16 64

One strand of one window, in this process: once with that many SNVs, whose llr the REF window alone
tells, and once with that many deletions, whose delta_pll needs every ALT haplotype as well. All lie in
the middle half of the window, as in a tile. "Each" is what the variants add to a window with a single
SNV, a variant; "passes" compares it with what most programs do, a pass over the window for every ALT.
Memory is that of the reading, beside the model.
"""

import made_up
import numpy as np
import torch
from measure import Row, arguments, best, memory_growth, preset_option, report

from janusdna import Model
from janusdna_cli.reading.requests import FORWARD, Haplotype, Request
from janusdna_cli.reading.window_reader import WindowReader

SPAN = 128
DELETED = 2


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "tile")
    parser.add_argument("--window", type=int, nargs="+", default=(8192, 131_072))
    parser.add_argument("--snvs", type=int, nargs="*", default=(1, 10, 100, 1000))
    parser.add_argument("--indels", type=int, nargs="*", default=(0, 1, 4, 16, 64))
    parser.add_argument("--runs", type=int, default=2)
    preset_option(parser)
    options = parser.parse_args()
    model = made_up.make_model(options.preset)
    rows = []
    for window in options.window:
        one_snv = seconds_of(model, snvs(window, 1), options.runs + 1)
        for kind, counts, ask in (("SNV", options.snvs, snvs), ("deletion", options.indels, deletions)):
            for count in counts:
                rows.append(row(model, kind, ask(window, count), count, one_snv, options.runs))
    report(rows, options.json)


def row(model: Model, kind: str, request: Request, count: int, one_snv: float, runs: int) -> Row:
    """A window with `count` variants; `one_snv` is what one with a single SNV takes, in seconds."""
    timed: list[float] = []
    grown = memory_growth(lambda: timed.append(seconds_of(model, request, runs)))
    seconds = timed[0]
    added = count - (kind == "SNV")
    each = (seconds - one_snv) / added if added > 0 else None
    return {
        "variants": kind,
        "window": len(request.ids),
        "count": count,
        "seconds": seconds,
        "each, ms": None if each is None else each * 1e3,
        "each, of a pass": None if each is None else each / one_snv,
        "passes would take": one_snv * (1 if kind == "SNV" else 1 + count),
        "memory, MB": None if grown is None else grown / 1e6,
    }


def seconds_of(model: Model, request: Request, runs: int) -> float:
    """The best of several readings."""
    return best(lambda: read(model, request), runs, warm_up=len(request.ids) < 1 << 16)


def read(model: Model, request: Request) -> None:
    """As `score-variants` reads a tile."""
    WindowReader(model, batch_bp=len(request.ids)).answer([request])


def snvs(window: int, count: int) -> Request:
    """Sites alone."""
    return Request(bases_of(window), places(window, count), FORWARD)


def deletions(window: int, count: int) -> Request:
    """Sites and ALT haplotypes, read within `SPAN` bases; a single SNV where there are none."""
    haplotypes = []
    for at in places(window, count).tolist():
        first, last = max(0, at - SPAN), min(window, at + DELETED + SPAN)
        haplotypes.append(Haplotype(at, at + DELETED, np.empty(0, np.uint8), first, last))
    targets = [np.arange(haplotype.first, haplotype.last) for haplotype in haplotypes]
    return Request(
        bases_of(window), np.unique(np.concatenate([*targets, [window // 2]])), FORWARD, haplotypes
    )


def places(window: int, count: int) -> np.ndarray:
    """`count` positions, spread evenly over a window's middle half."""
    return np.unique(window // 4 + np.arange(count) * (window // 2) // max(1, count))


def bases_of(window: int) -> np.ndarray:
    """Tokens of random bases."""
    return (
        torch.randint(7, 11, (window,), generator=torch.Generator().manual_seed(0)).numpy().astype(np.uint8)
    )


if __name__ == "__main__":
    main()
