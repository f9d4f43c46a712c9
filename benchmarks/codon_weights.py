"""Which bases of codons tell where a protein begins, goes on and ends?

    python benchmarks/codon_weights.py $(cat vertebrates/corpus.args) -o codons.bed
    cat vertebrates/corpus/weights.bed codons.bed > weights.bed

Writes a BED for `janusdna pretrain --weights`, where later lines hold: bases of codons of which one
substitution makes a stop, and the first and last codons of reading frames. All are of kind coding; column 5
is what they count in the loss. Codons are those of reading frames that are whole and without a stop within.
--genes is GTF, GFF3 or genePred, as genes are named in the FASTA's contigs; other options of `janusdna
corpus` are passed over.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from codons import EFFECTS, effects_of
from gene_parts import Codons, Positions, codons_of, end_codons, read_genes, unambiguous
from measure import Row, arguments, report

from janusdna_cli.genome.genomes import Genomes, genome_file

_STOP = EFFECTS.index("stop")


def main() -> None:
    """Write, and say how many there are."""
    options = parse()
    rows = []
    files = [genome_file(given) for given in options.fasta]
    with Genomes(files) as genomes:
        genes = sorted(read_genes(options.genes, genomes).items())
        with options.output.open("w") as file:
            for contig, transcripts in genes:
                every = [found for one in transcripts if (found := codons_of(one, genomes)) is not None]
                near, ends = near_stops(unambiguous(every)), ends_of(every, contig)
                for weight, positions in ((options.near_stop, near), (options.ends, ends)):
                    file.writelines(f"{contig}\t{at}\t{at + 1}\tcoding\t{weight:g}\n" for at in positions)
                rows.append({"near a stop": len(near), "first and last": len(ends)})
    report(total(rows), options.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "codon_weights")
    parser.add_argument("--fasta", action="append", required=True, metavar="[NAME=]FASTA")
    parser.add_argument("--genes", action="append", required=True, metavar="[NAME=]FILE")
    parser.add_argument("--near-stop", type=float, default=30, help="what a base near a stop counts")
    parser.add_argument("--ends", type=float, default=100, help="what one of a first or last codon counts")
    parser.add_argument("-o", "--output", type=Path, required=True)
    return parser.parse_known_args()[0]


def near_stops(codons: Codons) -> Positions:
    """Bases that a substitution makes a stop of, (T,)."""
    return np.sort(codons.positions[(effects_of(codons.codes) == _STOP).any(axis=2)])


def ends_of(every: Sequence[Codons], contig: str) -> Positions:
    """Bases of start and stop codons that lie in one exon, (T,)."""
    spots = [*end_codons(every, 0, "M", contig), *end_codons(every, -1, "*", contig)]
    starts = np.array([spot.at - 3 * spot.reverse for spot in spots], np.int64)
    return np.unique(starts[:, None] + np.arange(3))


def total(rows: Sequence[Row]) -> list[Row]:
    """One row of all contigs."""
    sums = {name: sum(row[name] for row in rows) for name in ("near a stop", "first and last")}
    return [{"contigs": len(rows)} | sums]


if __name__ == "__main__":
    main()
