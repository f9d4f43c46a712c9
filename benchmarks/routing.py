"""How often do ways to compute send a base to other experts, and what does that do to scores?

    python benchmarks/routing.py
    python benchmarks/routing.py --pairs float32/float64 "plain PyTorch/float64" --bases 100000
    python benchmarks/routing.py --fasta genome.fa --model my-model --window 8192

A layer with experts sends each base to those with the best logits. Where the last that is taken and the first
that is not lie closer together than rounding, the choice depends on who computes. Windows are read on both
strands by several ways:

    float32                  as the commands compute on this processor
    one window at a time     the same, not in batches
    AVX2                     the same, as on a processor without AVX-512 that sums in another order
    plain PyTorch            float32, --kernels reference
    float64                  plain PyTorch in float64
    float64, AVX2            the same with other instructions
    bfloat16                 --dtype bfloat16, the default on a GPU

Every pair of --pairs is compared, by default float32 with the next three: choices by layer; how close the
logits were where choices differ; how many choices would differ by other rules (the best logits instead of the
best probabilities, which round to equal ones; logits of a product in float64); llr of SNVs, and delta_pll of
an insertion or a deletion in the middle of each window, by their distance from the closest choice that
differs before them in a stream.

"First" are choices that differ with none before them in a lower layer: those that rounding made, not another
choice. Without a FASTA of your own: the human contigs in ../shared/data that were held out when the bundled
model was trained.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice, permutations
from pathlib import Path

import numpy as np
import torch
from baselines import human_data
from measure import Row, arguments, best, report
from route_pairs import DISTANCES, GAPS, NONE, Changed, Group, Tally, readings
from routes import AVX2, Floats, Ids, Positions, Reader, Way, expert_layers, logits_of
from torch import Tensor

from janusdna import load, tokens
from janusdna.bundled import DEFAULT
from janusdna.nn.feed_forward import MixtureOfExperts
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.splits import read_splits
from janusdna_cli.genome.windows import Window

WAYS = {
    way.name: way
    for way in (
        Way("float32"),
        Way("one window at a time", alone=True),
        Way("AVX2", environment=AVX2),
        Way("plain PyTorch", kernels="reference"),
        Way("float64", "float64"),
        Way("float64, AVX2", "float64", environment=AVX2),
        Way("bfloat16", "bfloat16"),
    )
}
PAIRS = (
    ("float32", "one window at a time"),
    ("float32", "AVX2"),
    ("float32", "plain PyTorch"),
)
SPAN = 128
# Bases removed in the middle of a window and bases put in their place, in turn.
CHANGES = ((0, 3), (4, 0))
_GROUP_BASES = 1 << 16
_ROWS = 1 << 14

Pair = tuple[str, str]


def main() -> None:
    """Measure and report."""
    options = parse()
    pairs = [tuple(pair.split("/")) for pair in options.pairs]
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    seconds = dict.fromkeys(names, 0.0)
    tallies = {pair: Tally() for pair in pairs}
    bases = 0
    with ExitStack() as stack:
        readers = {name: stack.enter_context(closing(Reader(WAYS[name], options.model))) for name in names}
        for group in groups(options):
            found = {name: [*readings(reader, group)] for name, reader in readers.items()}
            for (one, other), tally in tallies.items():
                tally.add(group, found[one], found[other])
            for name in names:
                seconds[name] += found[name][0].read.seconds
            bases += group.ids.size
            print(f"{bases:,} bases", file=sys.stderr, flush=True)
    if not bases:
        raise SystemExit(
            f"no window of {options.window} known bases: pass another --fasta or a smaller --window"
        )
    report(
        [*tables(tallies, options.window), *costs(seconds, bases, options)],
        options.json,
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "routing")
    parser.add_argument("--fasta", type=Path)
    parser.add_argument("--model", default=DEFAULT, help="the bundled one where none is named")
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--bases", type=int, default=1_000_000, help="of windows without N, at most")
    parser.add_argument(
        "--sites", type=int, default=128, help="of a window that SNVs are scored at, beside its middle"
    )
    parser.add_argument(
        "--pairs",
        nargs="+",
        default=["/".join(pair) for pair in PAIRS],
        choices=["/".join(pair) for pair in permutations(WAYS, 2)],
        metavar="WAY/WAY",
    )
    return parser.parse_args()


def groups(options: argparse.Namespace) -> Iterator[Group]:
    """Windows of known bases, in the order of the genome."""
    chance = np.random.default_rng(0)
    length, at_once = options.window, max(2, _GROUP_BASES // options.window)
    spread = np.linspace(0, length - 1, min(length, options.sites)).astype(np.int64)
    targets = np.union1d(spread, around(length // 2, max(removed for removed, _ in CHANGES), length))
    windows = islice(known_windows(options), max(1, options.bases // length))
    while group := list(islice(windows, at_once)):
        ids = np.stack(group)
        shares = [slice(i, None, len(CHANGES)) for i in range(len(CHANGES))]
        changed = [change(ids, share, *how, chance) for share, how in zip(shares, CHANGES, strict=True)]
        yield Group(ids, targets, [some for some in changed if some.ids.size])


def known_windows(options: argparse.Namespace) -> Iterator[Ids]:
    """Token ids of windows, (T,)."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        if options.fasta is None:
            fasta, bed = human_data(Path(name))
        else:
            fasta = str(options.fasta)
        reference = stack.enter_context(Reference.open(fasta))
        intervals = [Window(contig, 0, length) for contig, length in reference.lengths.items()]
        if options.fasta is None:
            intervals = read_splits(bed, reference.lengths, fasta)["valid"]
        for interval in intervals:
            for start in range(interval.start, interval.end - options.window + 1, options.window):
                ids = tokens.encode(reference.fetch(interval.contig, start, start + options.window))
                if tokens.is_base(ids).all():
                    yield ids


def change(ids: Ids, windows: slice, removed: int, added: int, chance: np.random.Generator) -> Changed:
    """Some of the windows, with random bases for those in the middle."""
    some, at = ids[windows], ids.shape[1] // 2
    new = chance.integers(tokens.A, tokens.T + 1, (len(some), added), np.uint8)
    edited = np.hstack((some[:, :at], new, some[:, at + removed :]))
    before, after = (
        around(at, removed, ids.shape[1]),
        around(at, added, edited.shape[1]),
    )
    return Changed(windows, edited, before, after)


def around(at: int, bases: int, length: int) -> Positions:
    """So many bases from `at` on, and SPAN on either side of them, within a window."""
    return np.arange(max(0, at - SPAN), min(length, at + bases + SPAN))


def tables(tallies: Mapping[Pair, Tally], window: int) -> list[Row]:
    """What was found, a table after the other."""
    rows = [overview(pair, tally, window) for pair, tally in tallies.items()]
    rows += [by_rule(pair, tally) for pair, tally in tallies.items()]
    rows += by_layer(tallies)
    rows += by_gap(tallies)
    rows += [row for pair, tally in tallies.items() for row in by_distance(pair, tally)]
    return rows


def named(pair: Pair) -> Row:
    """Both ways."""
    return {"computed by": pair[0], "and by": pair[1]}


def overview(pair: Pair, tally: Tally, window: int) -> Row:
    """How often choices differ."""
    total = tally.total
    return {
        "window": window,
        **named(pair),
        "choices": total.choices,
        "other experts": total.other,
        "a million": 1e6 * total.other / total.choices,
        "first": total.first,
        "only in other order": total.reordered,
        "windows with one": tally.windows_apart / tally.windows,
    }


def by_rule(pair: Pair, tally: Tally) -> Row:
    """How often they would by other rules, and what moves logits."""
    total = tally.total
    return {
        **named(pair),
        "first": total.first,
        "best logits": total.by_logits,
        "float64 product": total.exact,
        "gap moved by rows": typical(tally.by_rows, 0.5),
        "by rows, 99.9th": typical(tally.by_rows, 0.999),
        "by the product": typical(tally.by_product, 0.5),
        "by the product, 99.9th": typical(tally.by_product, 0.999),
    }


def by_layer(tallies: Mapping[Pair, Tally]) -> Iterator[Row]:
    """Where first choices differ, of a million."""
    tally = next(iter(tallies.values()))
    for place in sorted(tally.counts):
        counts = tally.counts[place]
        yield {
            "layer": f"{'backward' if place.reverse else 'forward'} {place.layer}",
            "equal probabilities": 1e6 * counts.tied / counts.choices,
            **{
                " / ".join(pair): 1e6 * other.counts[place].first / counts.choices
                for pair, other in tallies.items()
            },
        }


def by_gap(tallies: Mapping[Pair, Tally]) -> Iterator[Row]:
    """How many choices are how close, of all by the first pair's first way, and of first ones that differ."""
    tally = next(iter(tallies.values()))
    for kind, name in enumerate(("gap", "gap / logit")):
        for i, most in enumerate(GAPS):
            yield {
                "of choices": name,
                "below": most,
                "a million": 1e6 * int(tally.close[kind, i]) / tally.total.choices,
                **{
                    " / ".join(pair): int((np.concatenate(each.gaps[kind]) < most).sum())
                    for pair, each in tallies.items()
                },
            }


def by_distance(pair: Pair, tally: Tally) -> Iterator[Row]:
    """How far scores are apart, by the closest choice that differs."""
    for score, values in tally.scores.items():
        parts = {near: np.concatenate(tally.apart[score, near]) for near in (*DISTANCES, NONE)}
        for near, apart in {
            "all": np.concatenate(list(parts.values())),
            **parts,
        }.items():
            if len(apart):
                yield {
                    "score": score,
                    **named(pair),
                    "bases from another choice": near,
                    "number": len(apart),
                    "median": float(np.median(apart)),
                    "99.9th percentile": float(np.quantile(apart, 0.999)),
                    "largest": float(apart.max()),
                    "a million above 0.001": 1e6 * float((apart > 0.001).mean()),
                    "spread of the score": float(np.concatenate(values).std()) if near == "all" else None,
                }


def typical(parts: Sequence[Floats], quantile: float) -> float:
    """Of all parts."""
    return float(np.quantile(np.concatenate(parts), quantile))


def costs(seconds: Mapping[str, float], bases: int, options: argparse.Namespace) -> Iterator[Row]:
    """What the ways take of a processor, and what a router does by each rule."""
    first = next(iter(seconds.values()))
    for name, spent in seconds.items():
        yield {
            "read by": name,
            "s a million bases": spent / (2 * bases) * 1e6,
            "times the first": spent / first,
        }
    layers = list(expert_layers(load(options.model, device="cpu", dtype="float32")).values())
    rows = torch.randn(_ROWS, layers[0].router.in_features)
    for name, rule in RULES.items():
        spent = best(partial(rule, rows, layers[0]), 10) * len(layers) / _ROWS
        yield {
            "routed by": name,
            "s a million bases": spent * 1e6,
            "of the first way's": spent * 2 * bases / first,
        }


def best_probabilities(rows: Tensor, layer: MixtureOfExperts) -> tuple[Tensor, Tensor]:
    """Weights and choices, as now."""
    return logits_of(rows, layer).softmax(-1).topk(layer.experts_per_token)


def best_logits(rows: Tensor, layer: MixtureOfExperts) -> tuple[Tensor, Tensor]:
    """The same by the logits, which round to equal ones less often than the probabilities do."""
    logits = logits_of(rows, layer)
    choices = logits.topk(layer.experts_per_token).indices
    return logits.softmax(-1).gather(-1, choices), choices


def exact_logits(rows: Tensor, layer: MixtureOfExperts) -> tuple[Tensor, Tensor]:
    """The same by logits in float64."""
    weights, choices = best_logits(rows.double(), layer)
    return weights.float(), choices


RULES = {
    "best probabilities": best_probabilities,
    "best logits": best_logits,
    "float64 product": exact_logits,
}


if __name__ == "__main__":
    main()
