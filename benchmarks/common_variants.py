"""Which substitutions are matched with the variants of a population, to tell the two apart?

    python benchmarks/common_variants.py --output seen.vcf
    python benchmarks/common_variants.py --vcf people.vcf.gz --fasta genome.fa --most 1000 --output seen.vcf

Each SNV of the VCF that has an allele frequency (INFO/AF) gets a partner: the same substitution in the same
trinucleotide, at a position drawn from those between the contig's first and last record that no record
touches. So neither the base, nor its neighbours, nor the mutation rate that they bring (CpG!) tells the two
apart: only what is further away. The VCF for `zero_shot.py --label SEEN --by AF_BIN` has in INFO

    SEEN     1 for a variant, 0 for a partner
    AF_BIN   of the variant's frequency; partners have their variant's
    PAIR     the same number for a variant and its partner
    TRIPLE   the same number for the same base between the same neighbours

AF is of ALT: where it is above a half, the reference holds the rarer allele. Without files of your own:
28,000 SNVs of the 1000 Genomes on chr20:1-2 Mb in ../shared/data, if they are there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from counts import read_codes
from measure import Row, arguments, report
from vcf_info import write_alleles

from janusdna_cli.corpus.codes import BASES, OTHER, Codes
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window
from janusdna_cli.labelled.info import LabelledAllele, read_alleles

VARIANTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "variants"
VCF = VARIANTS / "1kg_phase3_chr20_1-2Mb.GRCh37.vcf.gz"
FASTA = VARIANTS / "GRCh37_chr20.fa.gz"
EDGES = (0.001, 0.01, 0.05, 0.5)

_TRANSITIONS = {("A", "G"), ("G", "A"), ("C", "T"), ("T", "C")}


def main() -> None:
    """Write the VCF and say what is in it."""
    parser = arguments(__doc__, "common_variants")
    parser.add_argument("--vcf", type=Path)
    parser.add_argument("--fasta", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--edges", type=float, nargs="+", default=EDGES, help="between the bins of AF")
    parser.add_argument("--most", type=int, help="at most so many variants in each bin")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if (options.vcf is None) != (options.fasta is None):
        raise SystemExit("--vcf and --fasta go together")
    vcf, fasta = (options.vcf, options.fasta) if options.vcf else shared_files()
    pairs = matched(vcf, fasta, edges=options.edges, most=options.most, seed=options.seed)
    write_alleles(options.output, in_order(pairs))
    report(figures(pairs), options.json)


def shared_files() -> tuple[Path, Path]:
    """The variants beside the project, and their genome.

    Raises:
        SystemExit: They are not there.
    """
    if not (VCF.exists() and FASTA.exists()):
        raise SystemExit(f"{VCF} and {FASTA.name} beside it are not there: pass --vcf and --fasta")
    return VCF, FASTA


Pair = tuple[LabelledAllele, LabelledAllele]


def matched(
    vcf: Path, fasta: Path, *, edges: Sequence[float] = EDGES, most: int | None = None, seed: int = 0
) -> list[Pair]:
    """Variants, each with its partner; a variant for which no position is left is left out.

    Args:
        vcf: Variants with INFO/AF.
        fasta: The genome that they are of.
        edges: Between the bins of AF, ascending.
        most: Variants in each bin; None for all.
        seed: Of what is drawn.
    """
    rng = np.random.default_rng(seed)
    by_contig: defaultdict[str, list[LabelledAllele]] = defaultdict(list)
    for allele in read_alleles(vcf):
        by_contig[allele.chrom].append(allele)
    chosen = _chosen(by_contig.values(), edges, most, rng)
    pairs: list[Pair] = []
    with Reference.open(fasta) as reference:
        for chrom, alleles in by_contig.items():
            contig = reference.find(chrom)
            if contig is None:
                raise SystemExit(f"{fasta}: has no contig {chrom}, which {vcf} names")
            region = _region(alleles, contig, reference.lengths[contig])
            codes = read_codes(reference, region, 1, Window(contig, 0, reference.lengths[contig]))
            pairs += _partners(alleles, chosen[chrom], codes, region.start, len(pairs), rng)
    if not pairs:
        raise SystemExit(f"{vcf}: no SNV has an INFO/AF above 0 and a REF that is that of {fasta}")
    return pairs


def bin_names(edges: Sequence[float] = EDGES) -> list[str]:
    """Of allele frequencies, ascending."""
    return [f"{low:g}-{high:g}" for low, high in pairwise((0, *edges, 1))]


def in_order(pairs: Iterable[Pair]) -> list[LabelledAllele]:
    """All alleles as a VCF has them; contigs in the order of the variants."""
    alleles = [allele for pair in pairs for allele in pair]
    turn = {chrom: i for i, chrom in enumerate(dict.fromkeys(allele.chrom for allele in alleles))}
    return sorted(alleles, key=lambda one: (turn[one.chrom], one.pos, one.alt))


def figures(pairs: Iterable[Pair]) -> list[Row]:
    """How many there are in each bin."""
    bins: defaultdict[str, list[LabelledAllele]] = defaultdict(list)
    for variant, _ in pairs:
        bins[variant.info["AF_BIN"]].append(variant)
    return [
        {
            "allele frequency": name,
            "pairs": len(variants),
            "transitions": sum((one.ref, one.alt) in _TRANSITIONS for one in variants) / len(variants),
        }
        for name, variants in sorted(bins.items(), key=lambda one: float(one[0].split("-")[0]))
    ]


def _chosen(
    contigs: Iterable[list[LabelledAllele]],
    edges: Sequence[float],
    most: int | None,
    rng: np.random.Generator,
) -> dict[str, list[tuple[LabelledAllele, str]]]:
    """SNVs with a frequency and the name of its bin, by contig."""
    names = bin_names(edges)
    bins: defaultdict[str, list[LabelledAllele]] = defaultdict(list)
    for allele in (one for alleles in contigs for one in alleles):
        frequency = _frequency(allele)
        if len(allele.ref) == 1 and allele.is_substitution and frequency > 0:
            bins[names[int(np.searchsorted(edges, frequency, side="right"))]].append(allele)
    found: defaultdict[str, list[tuple[LabelledAllele, str]]] = defaultdict(list)
    for name in names:
        alleles = bins[name]
        count = len(alleles) if most is None else min(most, len(alleles))
        for which in sorted(rng.choice(len(alleles), count, replace=False)) if count else ():
            found[alleles[which].chrom].append((alleles[which], name))
    return found


def _frequency(allele: LabelledAllele) -> float:
    try:
        return float(allele.info.get("AF", 0))
    except ValueError:
        return 0.0


def _region(alleles: Sequence[LabelledAllele], contig: str, length: int) -> Window:
    """From the first record to the last."""
    positions = [allele.pos for allele in alleles if 1 <= allele.pos <= length]
    return Window(contig, min(positions) - 1, max(positions)) if positions else Window(contig, 0, 0)


def _partners(
    alleles: Iterable[LabelledAllele],
    chosen: Iterable[tuple[LabelledAllele, str]],
    codes: Codes,
    start: int,
    number: int,
    rng: np.random.Generator,
) -> Iterator[Pair]:
    """Variants with their partners.

    Args:
        alleles: All that there are; no partner lies where one does.
        chosen: Those that are given a partner, and their bins.
        codes: The region's bases with a margin of 1, (T + 2,).
        start: Its first position, 0-based.
        number: Of the first pair.
        rng: Draws.
    """
    triples = _triples(codes)
    free = np.ones(len(triples), bool)
    for allele in alleles:
        first = max(0, allele.pos - 1 - start)
        free[first : max(first, allele.pos - 1 - start + len(allele.ref))] = False
    wanted: defaultdict[int, list[tuple[LabelledAllele, str]]] = defaultdict(list)
    for allele, name in chosen:
        at = allele.pos - 1 - start
        if 0 <= at < len(triples) and triples[at] >= 0 and BASES[codes[at + 1]] == allele.ref:
            wanted[int(triples[at])].append((allele, name))
    for triple, variants in sorted(wanted.items()):
        sites = np.flatnonzero(free & (triples == triple))
        count = min(len(sites), len(variants))
        takers = rng.choice(len(variants), count, replace=False)
        for taker, site in zip(takers, rng.choice(sites, count, replace=False), strict=True):
            variant, name = variants[taker]
            shared = {"AF_BIN": name, "PAIR": str(number), "TRIPLE": str(triple)}
            info = {"SEEN": "1", "AF": variant.info["AF"]} | shared
            pos = start + int(site) + 1
            yield (
                LabelledAllele(variant.chrom, variant.pos, variant.ref, variant.alt, info),
                LabelledAllele(variant.chrom, pos, variant.ref, variant.alt, {"SEEN": "0"} | shared),
            )
            number += 1


def _triples(codes: Codes) -> npt.NDArray[np.int64]:
    """Of each position a number for itself and its neighbours; -1 where one of them is not known, (T,)."""
    before, own, after = codes[:-2].astype(np.int64), codes[1:-1], codes[2:]
    known = (before != OTHER) & (own != OTHER) & (after != OTHER)
    return np.where(known, before * 16 + own * 4 + after, -1)


if __name__ == "__main__":
    main()
