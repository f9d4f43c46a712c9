"""How well do scores tell pathogenic variants from benign ones, without having been told of either?

    python benchmarks/clinvar.py --model my-model --scores llr delta_pll influence embedding
    python benchmarks/clinvar.py --vcf labelled.vcf --fasta genome.fa --genes genes.gtf --model my-model

Pathogenic are the records with PATHOGENIC=1 in INFO, benign those with PATHOGENIC=0 whose CLNSIG says benign
or likely benign and not of uncertain significance (--benign flag: all with PATHOGENIC=0). CONFLICTED=1 are
left out. AUROC and AUPRC as zero_shot.py has them: of SNVs, by their consequence (consequences.py), of all
that are coding, of all that lie in or beside introns, and of indels. Beside the scores:

    llr of ...               counts (counts.py) of --counts-intervals
    distance                 bases to the nearest splice site: closer is thought to be worse
    stop or splice site      whether an SNV makes a stop or changes a splice site
    coding or splice site    whether an indel begins at or removes a coding base or one of a splice site
    consequence              rank of its severity: what one would know with genes at hand, no DNA needed

Genes are given in the contigs of --fasta or, where those are called ..._chrN_START_END (1-based, inclusive),
in those of the assembly. Without files of your own: ClinVar of 2016 in ../shared/data, if it is there.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from baselines import HUMAN, SHARED, human_data, spread
from consequences import SEVERITY, TRUNCATING, Consequences
from gene_parts import Genes
from measure import Row, arguments, report
from slices import Slice
from zero_shot import HIGHER_FOR_IMPLAUSIBLE, Examples, add_score_options, figures, scores

from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.genes import read_transcripts
from janusdna_cli.genome.genomes import GenomeFile, Genomes
from janusdna_cli.genome.transcripts import Transcript
from janusdna_cli.labelled.info import LabelledAllele, read_alleles

VARIANTS = SHARED / "labelled" / "variants"
VCF, FASTA = VARIANTS / "clinvar.slices.vcf.gz", VARIANTS / "clinvar.GRCh37_slices.fa.gz"
GENES = SHARED / "annotation" / "refGene.hg19.txt.gz"
# Of the human data: BRCA2 of the other assembly.
ALSO_THERE = ("GRCh38_chr13_32300001_32500000",)

# Consequences that are judged as one as well.
TOGETHER = {
    "coding": ("stop gained", "start lost", "stop lost", "missense", "synonymous"),
    "around splice sites": ("splice site", "splice region", "intron"),
}
# Each with whether it is pathogenic.
Labelled = list[tuple[LabelledAllele, bool]]

_BENIGN, _UNCERTAIN = {"benign", "likely_benign"}, "uncertain_significance"
_INDEL_BASELINE = "coding or splice site"
_BASELINES = frozenset(("consequence", "stop or splice site", _INDEL_BASELINE))


def main() -> None:
    """Score and report."""
    options = parse()
    told, left_out = labelled(read_alleles(options.vcf), options.benign)
    with Genomes([GenomeFile(str(options.fasta))]) as genomes:
        genes, cut = genes_on(read_transcripts(str(options.genes)), genomes.lengths)
        consequences = Consequences(genes, genomes)
    kept = [(allele, label) for allele, label in told if not _lies_in(allele, cut)]
    left_out["in a gene that reaches outside of the FASTA"] += len(told) - len(kept)
    kept = few(kept, options.most)
    print(f"{consequences.unsound:,} coding transcripts do not read as proteins and say nothing of codons")
    rows: list[Row] = [{"left out, as they are": why, "records": count} for why, count in left_out.items()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.counts_fasta is None and HUMAN.exists() and options.fasta == FASTA:
            count_human_data(options, folder)
        table = scores([allele for allele, _ in kept], options, folder)
    report([*rows, *judged(kept, table, consequences, options)], options.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "clinvar")
    parser.add_argument("--vcf", type=Path, default=VCF)
    parser.add_argument("--genes", type=Path, default=GENES)
    parser.add_argument("--benign", default="stated", choices=("stated", "flag"))
    parser.add_argument("--most", type=int, help="at most so many SNVs and indels of each class")
    parser.add_argument("--fewest", type=int, default=10, help="of each class of a consequence that has rows")
    add_score_options(parser)
    parser.set_defaults(fasta=FASTA, window=1024, positives="implausible")
    options = parser.parse_args()
    for path in (options.vcf, options.fasta, options.genes):
        if not path.exists():
            raise SystemExit(f"{path} is not there: pass --vcf, --fasta and --genes")
    return options


def labelled(alleles: Iterable[LabelledAllele], benign: str) -> tuple[Labelled, Counter[str]]:
    """Whether each is pathogenic, and how many are left out for what reason."""
    found: dict[tuple[str, int, str, str], tuple[LabelledAllele, bool]] = {}
    left_out: Counter[str] = Counter()
    for allele in alleles:
        label = _label(allele, benign)
        place = allele.chrom, allele.pos, allele.ref, allele.alt
        if isinstance(label, str):
            left_out[label] += 1
        elif place in found:
            left_out["there before"] += 1
        else:
            found[place] = allele, label
    return list(found.values()), left_out


def _label(allele: LabelledAllele, benign: str) -> bool | str:
    """Whether it is pathogenic, or why it is left out."""
    info = allele.info
    said = set(info.get("CLNSIG", "").lower().split("|"))
    if not set(allele.ref + allele.alt) <= set("ACGT") or len(allele.ref) == len(allele.alt) > 1:
        return "neither SNV nor indel"
    if info.get("CONFLICTED") == "1":
        return "conflicted"
    if info.get("PATHOGENIC") == "1" or benign == "flag":
        return info.get("PATHOGENIC") == "1"
    if _UNCERTAIN in said:
        return "of uncertain significance"
    return False if said & _BENIGN else "called neither"


def genes_on(transcripts: Iterable[Transcript], lengths: Mapping[str, int]) -> tuple[Genes, Genes]:
    """Transcripts that lie on contigs, which may be slices of an assembly's; and those that are cut there."""
    slices: defaultdict[str, list[Slice]] = defaultdict(list)
    for contig, length in lengths.items():
        own = Slice.of(contig, length)
        slices[own.source.rpartition("_")[2]].append(own)
    found: Genes = {contig: [] for contig in lengths}
    cut: Genes = {contig: [] for contig in lengths}
    for one in transcripts:
        for own in slices.get(one.contig, ()):
            if one.start < own.end and own.start < one.end:
                is_whole = own.start <= one.start and one.end <= own.end
                (found if is_whole else cut)[own.contig].append(own.moved(one))
    return found, cut


def _lies_in(allele: LabelledAllele, genes: Genes) -> bool:
    return any(one.start < allele.pos <= one.end for one in genes.get(allele.chrom, ()))


def few(alleles: Labelled, most: int | None) -> Labelled:
    """At most so many SNVs and indels of each class, evenly spread, in their order."""
    parts: defaultdict[tuple[bool, bool], list[int]] = defaultdict(list)
    for number, (allele, label) in enumerate(alleles):
        parts[_is_snv(allele), label].append(number)
    return [
        alleles[number] for number in sorted(one for part in parts.values() for one in spread(part, most))
    ]


def _is_snv(allele: LabelledAllele) -> bool:
    return len(allele.ref) == len(allele.alt) == 1


def count_human_data(options: argparse.Namespace, folder: Path) -> None:
    """Set the options by which counts are of the human data, without what the variants lie in."""
    options.counts_fasta, options.counts_intervals = human_data(folder)
    with Reference.open(options.fasta) as reference:
        options.counts_without = (*reference.lengths, *ALSO_THERE)


def judged(
    alleles: Labelled,
    table: pd.DataFrame,
    consequences: Consequences,
    options: argparse.Namespace,
) -> Iterator[Row]:
    """How many there are, then how well each score tells them apart."""
    every, positive = [one for one, _ in alleles], np.array([label for _, label in alleles])
    snv = np.array([_is_snv(one) for one in every])
    distances = HIGHER_FOR_IMPLAUSIBLE | _BASELINES
    groups = [consequences.of(one) if is_snv else None for one, is_snv in zip(every, snv, strict=True)]
    yield from numbers([group for group in groups if group], positive[snv])
    table = table.assign(**baselines(every, groups, consequences))
    parts = {"SNVs": snv} | {name: np.isin(np.array(groups, str), own) for name, own in TOGETHER.items()}
    for whole, there in (parts | {"indels": ~snv}).items():
        own = [(one, group) for one, group, kept in zip(every, groups, there, strict=True) if kept]
        by = [group if whole == "SNVs" else None for _, group in own]
        examples = Examples([one for one, _ in own], positive[there], by)
        for row in figures(examples, table[there], options, whole=whole, distances=distances):
            enough = row["of"] == whole or min(row["positives"], row["negatives"]) >= options.fewest
            # Within a consequence its rank is the same for all, and tells nothing.
            if enough and not row["AUROC from"] == row["AUROC to"] == 0.5:
                yield row


def numbers(groups: list[str], positive: np.ndarray) -> Iterator[Row]:
    """SNVs of both classes by consequence."""
    for name in SEVERITY:
        labels = positive[[group == name for group in groups]]
        if len(labels):
            pathogenic = int(labels.sum())
            row = {"consequence": name, "pathogenic": pathogenic, "benign": len(labels) - pathogenic}
            yield row | {"share pathogenic": pathogenic / len(labels)}


def baselines(
    alleles: list[LabelledAllele], groups: list[str | None], consequences: Consequences
) -> dict[str, list[float]]:
    """Columns of what one knows without a model."""
    nothing = float("nan")
    indels = [
        nothing if group else float(consequences.touches_site(one) or consequences.is_coding(one))
        for one, group in zip(alleles, groups, strict=True)
    ]
    return {
        "distance": [min(consequences.distance(one.chrom, one.pos - 1), 1e9) for one in alleles],
        "stop or splice site": [nothing if not group else float(group in TRUNCATING) for group in groups],
        _INDEL_BASELINE: indels,
        "consequence": [nothing if not group else -float(SEVERITY.index(group)) for group in groups],
    }


if __name__ == "__main__":
    main()
