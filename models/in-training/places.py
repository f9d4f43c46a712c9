"""Lines for `--weights` of bases of human genes that count most; see README.md.

python models/in-training/places.py vertebrates > places.bed
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

from pysam import FastaFile

DATA = Path(__file__).parents[3] / "shared" / "data"
FILES = ("human/pretrain.fa.gz", "vertebrates/human.fa.gz")
STOPS = {"TAA", "TAG", "TGA"}
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def main() -> None:
    """Write them."""
    opened = [FastaFile(str(DATA / file)) for file in FILES]
    files = {contig: file for file in opened for contig in file.references}
    near, ends, sites = set(), set(), set()
    for line in (Path(sys.argv[1]) / "genes.human.txt").read_text().splitlines():
        fields = line.split("\t")
        contig, strand, first, last = fields[1], fields[2], int(fields[5]), int(fields[6])
        exons = list(zip(*([int(x) for x in fields[i].strip(",").split(",")] for i in (8, 9)), strict=True))
        if contig in files and exons[-1][1] <= files[contig].get_reference_length(contig):
            sites.update((contig, at) for at in sites_of(files[contig], contig, strand, exons))
            own_near, own_ends = codons_of(files[contig], contig, strand, first, last, exons)
            near.update((contig, at) for at in own_near)
            ends.update((contig, at) for at in own_ends)
    for kind, weight, places in (("coding", 12, near - sites), ("coding", 30, ends), ("splice", 60, sites)):
        for contig, at in sorted(places):
            sys.stdout.write(f"human.{contig}\t{at}\t{at + 1}\t{kind}\t{weight}\n")


def sites_of(fasta, contig, strand, exons):
    """The two bases at each end of introns that begin with GT and end with AG."""
    for (_, start), (end, _) in pairwise(exons):
        if end - start >= 30:
            found = fasta.fetch(contig, start, start + 2) + fasta.fetch(contig, end - 2, end)
            if found.upper() == ("GTAG" if strand == "+" else "CTAC"):
                yield from (start, start + 1, end - 2, end - 1)


def codons_of(fasta, contig, strand, first, last, exons):
    """Bases near a stop, and those of the first and the last codon, of whole reading frames."""
    at = [base for start, end in exons for base in range(max(start, first), min(end, last))]
    sequence = fasta.fetch(contig, first, last).upper() if at else ""
    bases = "".join(sequence[base - first] for base in at)
    if strand == "-":
        at, bases = at[::-1], bases[::-1].translate(COMPLEMENT)
    if len(at) % 3 or bases[:3] != "ATG" or bases[-3:] not in STOPS:
        return [], []
    near = []
    for i in range(3, len(at) - 3, 3):
        codon = bases[i : i + 3]
        for k in range(3):
            if any(codon[:k] + letter + codon[k + 1 :] in STOPS for letter in "ACGT"):
                near.append(at[i + k])
    return near, at[:3] + at[-3:]


if __name__ == "__main__":
    main()
