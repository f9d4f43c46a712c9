r"""How well do scores tell two classes of variants apart, without having been told of either?

    python benchmarks/zero_shot.py --model my-model
    python benchmarks/zero_shot.py --vcf some.vcf --label CLNSIG --ones Pathogenic --zeros Benign \
        --fasta genome.fa --model my-model --scores llr delta_pll embedding
    python benchmarks/zero_shot.py --positive ill.vcf --negative well.vcf --by GENE --fasta genome.fa

Scores of `janusdna score-variants` by --model, and beside them the llr of counts (counts.py): what is better
than that is what the network adds. AUROC (0.5 is chance) and AUPRC (chance is the share of positives) with
the 95 % interval of a bootstrap within each class. Positives are thought to be the less plausible class: a
score that is higher for the more plausible is turned round, and has a minus before its name. With
`--positives plausible` it is the other way round.

Without files of your own: the SNVs of the 1000 Genomes on chr20:1-2 Mb in ../shared/data, if they are there,
against random substitutions of the same kind (common_variants.py), by allele frequency. What is expected: a
variant that people have should be more plausible than one that nobody was found to have, so AUROC is above
0.5, and the more so the more common it is. Common ones are also told from rare ones, the same substitutions
between the same neighbours. Those bases are among the train contigs of the human data there: a model that was
pretrained on them has read the REF of both classes. The counts leave that contig out.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import common_variants
import numpy as np
import numpy.typing as npt
import pandas as pd
from baselines import HUMAN, human_data
from counts import CountModel, Floats, fit, read_codes
from measure import Row, arguments, report
from vcf_info import write_alleles

from janusdna_cli import ScoreSettings, score_variants
from janusdna_cli.corpus.codes import BASES
from janusdna_cli.finetuning.ranking import with_intervals
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.splits import read_splits
from janusdna_cli.genome.windows import Window
from janusdna_cli.labelled.info import LabelledAllele, read_alleles
from janusdna_cli.variants.scores import SCORES

EMBEDDING = ("emb_l2", "emb_cosine")
# All else is higher for what is more plausible.
HIGHER_FOR_IMPLAUSIBLE = frozenset((*EMBEDDING, "influence"))
# Bins of allele frequencies: below 0.001, and 0.05 and more.
RARE, _, _, *COMMON = common_variants.bin_names()
# Of the human data: the contig that holds the variants beside it.
OVERLAPPING = "GRCh37_chr20_1000001_2000000"


class Examples(NamedTuple):
    """Alleles of both classes.

    Attributes:
        alleles: In the order of their files.
        positive: Whether each is one, (n,).
        groups: Of each, by --by.
    """

    alleles: list[LabelledAllele]
    positive: npt.NDArray[np.bool_]
    groups: list[str | None]


def main() -> None:
    """Score and report."""
    options = parse()
    own = bool(options.vcf or options.positive)
    examples = own_examples(options) if own else common_examples(options)
    if not 0 < examples.positive.sum() < len(examples.alleles):
        raise SystemExit(f"{len(examples.alleles):,} labelled alleles are all of one class: expected two")
    with tempfile.TemporaryDirectory() as name:
        table = scores(examples.alleles, options, Path(name))
    rows = figures(examples, table, options)
    if not own:
        rows += against_rare(examples, table, options)
    report(rows, options.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "zero_shot")
    parser.add_argument("--vcf", type=Path, help="both classes, told apart by --label")
    parser.add_argument("--label", metavar="KEY", help="of INFO")
    parser.add_argument("--ones", nargs="+", default=("1",), metavar="VALUE", help="of a positive's label")
    parser.add_argument("--zeros", nargs="+", default=("0",), metavar="VALUE", help="of a negative's")
    parser.add_argument("--positive", type=Path, help="a VCF of positives, with --negative")
    parser.add_argument("--negative", type=Path)
    parser.add_argument("--positives", default="implausible", choices=("implausible", "plausible"))
    parser.add_argument("--by", metavar="KEY", help="of INFO: figures for each of its values, too")
    parser.add_argument("--most", type=int, help="1000 Genomes: at most so many variants in each bin")
    add_score_options(parser)
    return parser.parse_args()


def add_score_options(parser: argparse.ArgumentParser) -> None:
    """What is scored with, and how the scores are judged."""
    parser.add_argument("--fasta", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--scores", nargs="+", default=("llr",), choices=SCORES)
    parser.add_argument("--window", type=int)
    parser.add_argument("--span", type=int, default=ScoreSettings.span)
    parser.add_argument("--context", default="tiled", choices=("tiled", "centered"))
    parser.add_argument("--counts-fasta", type=Path, help="what to count, with --counts-intervals")
    parser.add_argument("--counts-intervals", type=Path, help="BED: what is train in column 4 is counted")
    parser.add_argument("--counts-without", nargs="+", default=(), metavar="CONTIG", help="not counted")
    parser.add_argument("--counts-both", type=int, default=5, help="bases on each side")
    parser.add_argument("--counts-left", type=int, default=12, help="order of the Markov model")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int)


def common_examples(options: argparse.Namespace) -> Examples:
    """The variants beside the project and their partners; sets the options that go with them."""
    vcf, options.fasta = common_variants.shared_files()
    options.positives, options.by = "plausible", "AF_BIN"
    if options.counts_fasta is None:
        options.counts_without = (OVERLAPPING,)
    pairs = common_variants.matched(vcf, options.fasta, most=options.most, seed=options.seed)
    alleles = common_variants.in_order(pairs)
    return _examples(alleles, [allele.info["SEEN"] == "1" for allele in alleles], options.by)


def against_rare(examples: Examples, table: pd.DataFrame, options: argparse.Namespace) -> list[Row]:
    """Common variants, each against a rare one: the same substitution in the same trinucleotide."""
    rng = np.random.default_rng(options.seed)
    classes: defaultdict[tuple[str, str], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for row, (allele, group) in enumerate(zip(examples.alleles, examples.groups, strict=True)):
        if examples.positive[row] and group in (*COMMON, RARE):
            classes[allele.info["TRIPLE"], allele.alt][group == RARE].append(row)
    chosen = []
    for both in classes.values():
        count = min(map(len, both))
        chosen += [rng.choice(rows, count, replace=False) for rows in both if count]
    rows = np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
    positive = np.array([examples.groups[row] != RARE for row in rows], bool)
    pairs = Examples([examples.alleles[row] for row in rows], positive, [None] * len(rows))
    return figures(pairs, table.iloc[rows], options, whole=f"common against {RARE}")


def own_examples(options: argparse.Namespace) -> Examples:
    """Those of one's own files."""
    if options.fasta is None:
        raise SystemExit("a VCF of your own needs --fasta, the genome that it is of")
    if (options.vcf is None) != (options.label is None) or (options.positive is None) != (
        options.negative is None
    ):
        raise SystemExit("pass --vcf with --label, or --positive with --negative")
    if options.vcf is None:
        classes = [list(read_alleles(path)) for path in (options.positive, options.negative)]
        positive = np.repeat((True, False), [len(alleles) for alleles in classes])
        return _examples([*classes[0], *classes[1]], positive, options.by)
    alleles = list(read_alleles(options.vcf))
    told = dict.fromkeys(options.ones, True) | dict.fromkeys(options.zeros, False)
    found = [told.get(allele.info.get(options.label, "")) for allele in alleles]
    if left_out := found.count(None):
        print(f"{left_out:,} of {len(found):,} alleles are neither by INFO/{options.label}: left out")
    both = [(allele, label) for allele, label in zip(alleles, found, strict=True) if label is not None]
    return _examples([allele for allele, _ in both], [label for _, label in both], options.by)


def _examples(alleles: list[LabelledAllele], positive: Sequence[bool], by: str | None) -> Examples:
    groups = [None if by is None else allele.info.get(by) for allele in alleles]
    return Examples(alleles, np.array(positive, bool), groups)


def scores(alleles: list[LabelledAllele], options: argparse.Namespace, folder: Path) -> pd.DataFrame:
    """A column for each score, by the name that the report gives it; NaN where there is none."""
    table = pd.DataFrame(index=range(len(alleles)))
    scorable = np.ones(len(alleles), bool)
    if options.model is None:
        print("no --model: the counts alone")
    else:
        found = by_model(alleles, options, folder)
        scorable = (found["status"] == "ok").to_numpy()
        if not scorable.all():
            told = Counter(found["status"][~scorable])
            print("left out:", ", ".join(f"{count:,} {status}" for status, count in told.items()))
        for score in options.scores:
            for column in EMBEDDING if score == "embedding" else (score,):
                table[column] = found[column].astype(float)
    for model in count_models(options, folder):
        with Reference.open(options.fasta) as reference:
            llr = by_counts(alleles, reference, model)
        table[f"llr of {model.name(model.order)}"] = np.where(scorable, llr, np.nan)
    if table.empty:
        raise SystemExit("nothing to score with: pass --model, or --counts-fasta with --counts-intervals")
    return table


def by_model(alleles: list[LabelledAllele], options: argparse.Namespace, folder: Path) -> pd.DataFrame:
    """What `janusdna score-variants` finds, a row for each."""
    vcf, output = folder / "alleles.vcf", folder / "scores.parquet"
    write_alleles(vcf, (replace(allele, info={}) for allele in alleles))
    settings = ScoreSettings(
        vcf=str(vcf),
        fasta=str(options.fasta),
        output=str(output),
        model=str(options.model),
        scores=tuple(options.scores),
        window=options.window,
        span=options.span,
        context=options.context,
        device=options.device,
        dtype=options.dtype,
        threads=options.threads,
        quiet=True,
    )
    score_variants(settings)
    found = pd.read_parquet(output)
    if list(found["pos"]) != [allele.pos for allele in alleles]:
        raise SystemExit("a multi-allelic or broken record: the scores are not those of the alleles")
    return found


def count_models(options: argparse.Namespace, folder: Path) -> list[CountModel]:
    """Of --counts-fasta; without it of the human data, if the variants are the human ones; else none."""
    if options.counts_fasta is not None:
        if options.counts_intervals is None:
            raise SystemExit("--counts-fasta needs --counts-intervals: BED with train in column 4")
        fasta, intervals = str(options.counts_fasta), str(options.counts_intervals)
    elif options.fasta == common_variants.FASTA and HUMAN.exists():
        fasta, intervals = human_data(folder)
    else:
        print("no llr of counts: pass --counts-fasta and --counts-intervals, the genome to count")
        return []
    with Reference.open(fasta) as reference:
        train = read_splits(intervals, reference.lengths, fasta)["train"]
        counted = [interval for interval in train if interval.contig not in options.counts_without]
        return fit(reference, counted, {"both": options.counts_both, "left": options.counts_left})


def by_counts(alleles: Sequence[LabelledAllele], reference: Reference, model: CountModel) -> Floats:
    """The llr of docs/scoring.md, (n,); NaN where REF is not the genome's or this is no substitution."""
    llr = np.zeros(len(alleles))
    contexts, changes = [], []
    for row, allele in enumerate(alleles):
        contig = reference.find(allele.chrom)
        length = 0 if contig is None else reference.lengths[contig]
        start, end = allele.pos - 1, allele.pos - 1 + len(allele.ref)
        if not (allele.is_substitution and start >= 0 and end <= length):
            llr[row] = np.nan
            continue
        window = Window(contig, start, end)
        codes = read_codes(reference, window, model.order, within=Window(contig, 0, length))
        for offset, (ref, alt) in enumerate(zip(allele.ref, allele.alt, strict=True)):
            around = codes[offset : offset + 2 * model.order + 1]
            if around[model.order] != BASES.index(ref):
                llr[row] = np.nan
            contexts.append(around)
            changes.append((row, BASES.index(ref), BASES.index(alt)))
    if changes:
        rows, ref, alt = np.array(changes).T
        logp = model.both_strands(np.stack(contexts), model.order, [model.order])[model.order]
        logp, at = logp.mean(axis=0)[:, 0], np.arange(len(rows))
        np.add.at(llr, rows, logp[at, alt] - logp[at, ref])
    return llr


def figures(
    examples: Examples,
    table: pd.DataFrame,
    options: argparse.Namespace,
    *,
    whole: str = "all",
    distances: Set[str] = HIGHER_FOR_IMPLAUSIBLE,
) -> list[Row]:
    """Every score over all alleles, then over each group's.

    Args:
        examples: The alleles.
        table: Their scores.
        options: The command line.
        whole: What the rows of all are of.
        distances: Scores that are higher for the less plausible; all others are for the more plausible.
    """
    groups = np.array([group or "" for group in examples.groups])
    parts = {whole: np.ones(len(groups), bool)}
    parts |= {group: groups == group for group in sorted(set(groups) - {""})}
    rows = []
    for part, there in parts.items():
        for name in table:
            turned = (name in distances) == (options.positives == "plausible")
            values = table[name].to_numpy() * (-1 if turned else 1)
            kept = there & np.isfinite(values)
            positive, negative = values[kept & examples.positive], values[kept & ~examples.positive]
            if len(positive) and len(negative):
                found = with_intervals(positive, negative, resamples=options.resamples, seed=options.seed)
                rows.append(_row(f"-{name}" if turned else name, part, len(positive), len(negative), found))
    return rows


def _row(
    score: str, part: str, positive: int, negative: int, found: dict[str, tuple[float, float, float]]
) -> Row:
    row: Row = {"score": score, "of": part, "positives": positive, "negatives": negative}
    for measure, (value, low, high) in found.items():
        row |= {measure: value, f"{measure} from": low, f"{measure} to": high}
    return row


if __name__ == "__main__":
    main()
