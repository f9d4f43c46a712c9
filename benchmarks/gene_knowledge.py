"""What does a model know of genes that nobody has told it?

    python benchmarks/gene_knowledge.py --fasta genome.fa --genes genes.gtf --intervals splits.bed
    python benchmarks/gene_knowledge.py --fasta human=hg.fa --fasta mouse=mm.fa --genes human=hg.gtf \
        --genes mouse=mm.gtf --intervals splits.bed --kinds kinds.bed --model my-model

The intervals of --split are read, both strands averaged, each base predicted from all others. By genome:

    kind       bits per base by kind of base (--kinds)
    CpG        mean llr of C>T at CpG and elsewhere, by kind and in first exons
    codon      mean llr of substitutions by their position in the codon and by what they do to the protein
    site       third positions where one substitution is synonymous and another is not: the difference of
               their means, and the same of triplets that begin one or two bases later, which code for nothing
    junction   mean llr by the distance from a splice junction, and from a GT (AG) that is none, 51 to 500
               bases from it
    changes    the share of the 294 substitutions within 50 bases of a junction that are less expected than
               those of the intron's GT (AG) are on average; AUROC of that share against GT (AG) that are none
    end codon  mean llr of changes of start and stop codons, and of the same letters within 200 bases

llr is log p(ALT) - log p(REF), natural. Junctions, start and stop codons are read in the middle of windows of
their own, introns that begin with GT and end with AG alone. Standard errors are of windows, as the
substitutions of one are alike. At most --most windows a genome and kind of base, and as many of each kind of
place, all evenly spread. --genes is GTF, GFF3 or genePred, as genes are named in the FASTA's contigs.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from baselines import places_of, spread
from gene_parts import Genes, codons_of, end_codons, junctions, read_genes
from kinds import Kinds
from measure import Row, arguments, report
from spots import RADIUS, Reading, Spot, by_end_codon, by_junction, drawn
from sweep import Sweep

from janusdna_cli.genome.genomes import Genomes, genome_file
from janusdna_cli.genome.splits import SPLITS, read_splits
from janusdna_cli.genome.windows import Window
from janusdna_cli.reading.opening import open_model
from janusdna_cli.reading.settings import ModelSettings
from janusdna_cli.reading.window_reader import WindowReader

Tables = defaultdict[str, list[Row]]


def main() -> None:
    """Read and report."""
    options = parse()
    settings = ModelSettings(
        model=options.model, device=options.device, window=options.window, threads=options.threads
    )
    reader = WindowReader(open_model(settings))
    tables: Tables = defaultdict(list)
    with Genomes([genome_file(given) for given in options.fasta]) as genomes:
        reading = Reading(genomes, reader, options.window, options.most, options.resamples, options.seed)
        genes = read_genes(options.genes, genomes)
        for genome, intervals in chosen(options, genomes).items():
            of_genome(genome, intervals, genes, Kinds.read(options.kinds, intervals), reading, tables)
    report([row for rows in tables.values() for row in rows], options.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "gene_knowledge")
    parser.add_argument("--fasta", action="append", required=True, metavar="[NAME=]FASTA")
    parser.add_argument("--genes", action="append", default=[], metavar="[NAME=]FILE")
    parser.add_argument("--intervals", required=True, help="BED with train, valid or test in column 4")
    parser.add_argument("--split", nargs="+", default=("valid", "test"), choices=SPLITS)
    parser.add_argument("--kinds", type=Path, help="BED with the kind of its bases in column 4")
    parser.add_argument("--model", help="the bundled one where none is named")
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--most", type=int, default=500, help="windows of each kind")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.window < 2 * RADIUS:
        raise SystemExit(f"--window {options.window}: expected at least {2 * RADIUS}, as around a junction")
    return options


def chosen(options: argparse.Namespace, genomes: Genomes) -> dict[str, list[Window]]:
    """The intervals of the splits that are asked for, by genome."""
    splits = read_splits(options.intervals, genomes.lengths, " ".join(options.fasta))
    found: dict[str, list[Window]] = {}
    for interval in joined([interval for split in options.split for interval in splits[split]]):
        found.setdefault(genomes.genomes[interval.contig], []).append(interval)
    if not found:
        raise SystemExit(f"{options.intervals}: holds no interval of {' or '.join(options.split)}")
    return found


def joined(intervals: Sequence[Window]) -> list[Window]:
    """Intervals that touch as one, contigs in their order: a corpus cuts them where their weight changes."""
    turn = {contig: i for i, contig in enumerate(dict.fromkeys(one.contig for one in intervals))}
    found: list[Window] = []
    for one in sorted(intervals, key=lambda one: (turn[one.contig], one.start)):
        last = found[-1] if found else None
        if last is not None and last.contig == one.contig and one.start <= last.end:
            found[-1] = Window(last.contig, last.start, max(last.end, one.end))
        else:
            found.append(one)
    return found


def of_genome(
    genome: str, intervals: Sequence[Window], genes: Genes, kinds: Kinds, reading: Reading, tables: Tables
) -> None:
    """Add a genome's rows to each table."""
    tiles = list(places_of(intervals, reading.window))
    sweep = Sweep(tiles, genes, kinds, reading)
    sweep.read()
    for name, rows in sweep.tables().items():
        tables[name] += [{"genome": genome} | row for row in rows]
    own = {contig: genes[contig] for contig in dict.fromkeys(one.contig for one in intervals)}
    if any(own.values()):
        places = by_kind_of_junction(own, reading.genomes)
        inside = {kind: spread(within(spots, intervals), reading.most) for kind, spots in places.items()}
        negatives = drawn(reading.genomes, inside, set().union(*places.values()), reading.seed)
        ends = {
            kind: within(spots, intervals) for kind, spots in by_kind_of_end(own, reading.genomes).items()
        }
        found = *by_junction(genome, inside | negatives, reading), *by_end_codon(genome, ends, genes, reading)
        for name, rows in zip(("junction", "changes", "end codon", "end codons beside"), found, strict=True):
            tables[name] += rows


def by_kind_of_junction(genes: Genes, genomes: Genomes) -> dict[str, list[Spot]]:
    """Donors and acceptors of all contigs."""
    return junctions((one for transcripts in genes.values() for one in transcripts), genomes)


def by_kind_of_end(genes: Genes, genomes: Genomes) -> dict[str, list[Spot]]:
    """Start and stop codons of all contigs."""
    found: dict[str, list[Spot]] = {"start": [], "stop": []}
    for contig, transcripts in genes.items():
        every = [codons for one in transcripts if (codons := codons_of(one, genomes)) is not None]
        found["start"] += end_codons(every, 0, "M", contig)
        found["stop"] += end_codons(every, -1, "*", contig)
    return found


def within(spots: Sequence[Spot], intervals: Sequence[Window]) -> list[Spot]:
    """Those that lie in an interval."""
    by_contig: defaultdict[str, list[Window]] = defaultdict(list)
    for interval in intervals:
        by_contig[interval.contig].append(interval)
    return [spot for spot in spots if any(one.start <= spot.at < one.end for one in by_contig[spot.contig])]


if __name__ == "__main__":
    main()
