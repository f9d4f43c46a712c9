"""How many bits per base do counts need, and how many does a model?

    python benchmarks/baselines.py --model my-model
    python benchmarks/baselines.py --fasta genome.fa --intervals splits.bed --model my-model --window 8192

Counts of the train intervals, of both strands (counts.py says how they are smoothed), and a model if there
is one, predict each base of the valid intervals from the others; 2 bits are no idea at all. --intervals is
what `janusdna pretrain --intervals` takes: BED with train or valid in column 4. Without files of your own:
21 Mb of human sequence in ../shared/data, if it is there.

    forward, reverse   mean of -log2 p by one strand
    mean               of the two: what pretraining calls valid_bits_per_base
    combined           of the two strands' mean log p, made to add up to 1 again
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from counts import CountModel, Floats, fit, read_codes
from measure import Row, arguments, report

from janusdna import tokens
from janusdna_cli.corpus.codes import OTHER, Codes
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.splits import Splits, read_splits
from janusdna_cli.genome.windows import Window
from janusdna_cli.reading.opening import open_model
from janusdna_cli.reading.requests import BOTH_STRANDS, Request
from janusdna_cli.reading.settings import ModelSettings
from janusdna_cli.reading.window_reader import WindowReader


class Bits(float):
    """A number that tables show with four decimals."""

    def __format__(self, _: str) -> str:
        return super().__format__(".4f")


SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
HUMAN = SHARED / "human" / "pretrain.fa.gz"
# Measured on the same human data with other smoothing, before this script was written.
PUBLISHED = {
    "order-11 Markov": Bits(1.785),
    "order-12 Markov": Bits(1.793),
    "5+5 counts": Bits(1.718),
    "6+6 counts": Bits(1.704),
}

_BATCH_BP = 1 << 17
Predictor = Callable[["Batch"], dict[str, Floats]]


class Place(NamedTuple):
    """A window, which of its bases count (those from `first` on), and the interval that it lies in."""

    window: Window
    first: int
    interval: Window


class Batch(NamedTuple):
    """Windows of one length that are predicted together.

    Attributes:
        codes: With margins, (B, T + 2m).
        margin: m.
        counted: Bases that count, (B, T).
        soft: Bases in lower case, (B, T).
    """

    codes: Codes
    margin: int
    counted: npt.NDArray[np.bool_]
    soft: npt.NDArray[np.bool_]

    @property
    def bases(self) -> Codes:
        """Without margins, (B, T)."""
        return self.codes[:, self.margin : self.codes.shape[1] - self.margin]


def main() -> None:
    """Measure and report."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        fasta, intervals = human_data(Path(name)) if options.fasta is None else files(options)
        with Reference.open(fasta) as reference:
            rows = measure(reference, read_splits(intervals, reference.lengths, fasta), options)
    if {row["bases"] for row in rows if "bases" in row} == {"all"}:
        print(f"{fasta} has no lower-case (soft-masked) base among them: no figures for repeats of their own")
    report(rows, options.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "baselines")
    parser.add_argument("--fasta", type=Path)
    parser.add_argument("--intervals", type=Path, help="BED with train or valid in column 4")
    parser.add_argument("--left", type=int, nargs="+", default=(11, 12), help="orders of the Markov models")
    parser.add_argument("--both", type=int, nargs="+", default=(5, 6), help="bases on each side")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--most", type=int, help="at most so many windows, at equal distances")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def human_data(folder: Path) -> tuple[str, str]:
    """FASTA and BED of the human data beside the project.

    Raises:
        SystemExit: It is not there.
    """
    table = HUMAN.with_name("pretrain.splits.tsv")
    if not (HUMAN.exists() and table.exists()):
        raise SystemExit(f"{HUMAN} and {table.name} beside it are not there: pass --fasta and --intervals")
    contigs = [line.split("\t") for line in table.read_text().splitlines()]
    bed = folder / "splits.bed"
    bed.write_text("".join(f"{contig}\t0\t{length}\t{split}\n" for contig, length, split in contigs))
    return str(HUMAN), str(bed)


def files(options: argparse.Namespace) -> tuple[str, str]:
    """FASTA and BED of one's own."""
    if options.intervals is None:
        raise SystemExit("--fasta needs --intervals: BED with train or valid in column 4")
    return str(options.fasta), str(options.intervals)


def measure(reference: Reference, splits: Splits, options: argparse.Namespace) -> list[Row]:
    """All that was asked for, and how the counts were smoothed."""
    for split in ("train", "valid"):
        if not splits[split]:
            raise SystemExit(f"the intervals hold no {split}: expected {split} in column 4 of some")
    places = spread(list(places_of(splits["valid"], options.window)), options.most)
    began = time.perf_counter()
    models = fit(reference, splits["train"], {"left": max(options.left), "both": max(options.both)})
    counting = time.perf_counter() - began
    rows = []
    for model, orders in zip(models, (options.left, options.both), strict=True):
        rows += evaluate(reference, places, by_counts(model, orders), margin=model.order)
    if options.model is not None:
        rows += evaluate(reference, places, by_model(options), margin=0)
    if reference.path == str(HUMAN) and options.most is None:
        rows = [row | {"published": PUBLISHED.get(row["predicted by"])} for row in rows]
    return rows + [
        {
            "counts": model.sides,
            "seconds to count both": counting,
            "observations that the order below is worth": " ".join(f"{each:g}" for each in model.strengths),
        }
        for model in models
    ]


def by_counts(model: CountModel, orders: Sequence[int]) -> Predictor:
    """Log p by both strands of each order, (2, B, T, 4), by its name."""

    def predict(batch: Batch) -> dict[str, Floats]:
        found = model.both_strands(batch.codes, batch.margin, orders)
        return {model.name(order): found[order] for order in orders}

    return predict


def by_model(options: argparse.Namespace) -> Predictor:
    """The same of a network, which sees nothing outside of the window."""
    settings = ModelSettings(
        model=str(options.model), device=options.device, dtype=options.dtype, threads=options.threads
    )
    model = open_model(settings)
    reader = WindowReader(model)

    def predict(batch: Batch) -> dict[str, Floats]:
        ids = np.where(batch.bases == OTHER, tokens.PAD, batch.bases + tokens.A).astype(np.uint8)
        every = np.arange(ids.shape[1])
        requests = [Request(row, every, BOTH_STRANDS) for row in ids]
        answers = reader.answer(requests)
        logp = np.stack([answers[request].logp for request in requests], axis=1)
        return {model.info.name: logp.astype(np.float64)}

    return predict


def evaluate(reference: Reference, places: Sequence[Place], predict: Predictor, margin: int) -> list[Row]:
    """Bits per base of each that predicts, a row for every kind of base that there is."""
    sums: defaultdict[tuple[str, str], Floats] = defaultdict(lambda: np.zeros(4))
    for batch in batches(reference, places, margin):
        kinds = {"all": True, "soft-masked": batch.soft, "unique": ~batch.soft}
        for name, logp in predict(batch).items():
            bits = surprise(logp, batch.bases)
            for kind, alike in kinds.items():
                there = batch.counted & alike
                sums[name, kind] += np.append(bits[:, there].sum(axis=1), there.sum())
    if not any(number for (_, kind), (*_, number) in sums.items() if kind == "soft-masked"):
        sums = {(name, kind): found for (name, kind), found in sums.items() if kind == "all"}
    by_name = sorted(sums.items(), key=lambda one: list(sums).index((one[0][0], "all")))
    return [figures(name, kind, *found) for (name, kind), found in by_name if found[-1]]


def figures(name: str, kind: str, forward: float, reverse: float, combined: float, count: float) -> Row:
    """A row, of sums of bits."""
    return {
        "predicted by": name,
        "bases": kind,
        "number": int(count),
        "forward": Bits(forward / count),
        "reverse": Bits(reverse / count),
        "mean": Bits((forward + reverse) / 2 / count),
        "combined": Bits(combined / count),
    }


def surprise(logp: Floats, bases: Codes) -> Floats:
    """-log2 p of what stands there by the forward strand, the reverse, and both together, (3, B, T).

    Args:
        logp: Natural, by each strand, (2, B, T, 4).
        bases: (B, T).
    """
    both = logp.mean(axis=0)
    both -= np.log(np.exp(both).sum(axis=-1, keepdims=True))
    own = np.minimum(bases, 3).astype(np.int64)[None, ..., None]
    return -np.take_along_axis(np.concatenate((logp, both[None])), own, axis=-1)[..., 0] / np.log(2)


def places_of(intervals: Iterable[Window], size: int) -> Iterator[Place]:
    """Windows that hold each base of the intervals once; the last of each is shifted inwards."""
    for interval in intervals:
        for start in range(interval.start, interval.end, size):
            shifted = max(interval.start, min(start, interval.end - size))
            window = Window(interval.contig, shifted, min(shifted + size, interval.end))
            yield Place(window, start - shifted, interval)


def spread(places: list[Place], most: int | None) -> list[Place]:
    """At most so many, from the middle of equal parts."""
    if most is None or most >= len(places):
        return places
    return [places[len(places) * (2 * i + 1) // (2 * most)] for i in range(most)]


def batches(reference: Reference, places: Sequence[Place], margin: int) -> Iterator[Batch]:
    """Windows that are read together, of one length each time."""
    for length, alike in groupby(places, key=lambda place: len(place.window)):
        held = list(alike)
        step = max(1, _BATCH_BP // length)
        for first in range(0, len(held), step):
            yield _batch(reference, held[first : first + step], margin)


def _batch(reference: Reference, places: Sequence[Place], margin: int) -> Batch:
    codes = np.stack([read_codes(reference, place.window, margin, place.interval) for place in places])
    written = [
        reference.fetch_as_written(place.window.contig, place.window.start, place.window.end)
        for place in places
    ]
    soft = np.stack([np.frombuffer(letters, np.uint8) >= ord("a") for letters in written])
    asked = np.arange(soft.shape[1]) >= np.array([place.first for place in places])[:, None]
    known = codes[:, margin : codes.shape[1] - margin] != OTHER
    return Batch(codes, margin, asked & known, soft)


if __name__ == "__main__":
    main()
