"""Which vertebrate sequence does the bundled model learn from, where are its genes, and what is held out?

    python benchmarks/vertebrates.py -o vertebrates
    janusdna corpus $(cat vertebrates/corpus.args) -o vertebrates/corpus

Writes what `janusdna corpus` takes of ../shared/data: genes in the coordinates of the contigs, which are cut
out of assemblies and named ASSEMBLY_chrN_start_end (1-based, inclusive), and a BED of what is held out:

    valid   the ten human contigs that were always held out, and --mouse-valid Mb of the mouse
    test    the human sequence in which ClinVar's variants and those of the 1000 Genomes lie; all other mouse
    train   all other species and human contigs, but for stretches that --k bases on end share with held-out
            human sequence in at least half of their places: the same region of another assembly or individual

Macaque, cow, dog, cat and bird stay as they are, although they hold relatives of held-out human genes.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from baselines import SHARED
from measure import Row, arguments, report

from janusdna_cli.corpus.codes import encode, keys_of, opposite
from janusdna_cli.genome.genes import read_transcripts
from janusdna_cli.genome.genomes import GenomeFile, Genomes
from janusdna_cli.genome.transcripts import Transcript

FILES = (
    ("human", "human/pretrain.fa.gz"),
    ("human", "vertebrates/human.fa.gz"),
    ("mouse", "vertebrates/mouse.fa.gz"),
    ("primate", "vertebrates/primate.fa.gz"),
    ("cow", "vertebrates/cow.fa.gz"),
    ("dog_cat", "vertebrates/dog_cat.fa.gz"),
    ("bird", "vertebrates/bird.fa.gz"),
)
GENES = {"GRCh38": "refGene.hg38.txt.gz", "GRCh37": "refGene.hg19.txt.gz", "GRCm38": "refGene.mm10.txt.gz"}
# Species near enough to be the same sequence as held-out human bases.
_ALIKE = ("human", "primate")
_NAME = re.compile(r"(?P<source>.+)_(?P<first>\d+)_(?P<last>\d+)")
_BLOCK, _STEP, _SHARE = 512, 8, 0.5
_LONG = 30_000


class Cut(NamedTuple):
    """Where a contig was cut out.

    Attributes:
        genome: Its species.
        contig: Its own name.
        source: The sequence that it was cut out of, such as `GRCh38_chr1`.
        start, end: There, 0-based half-open.
    """

    genome: str
    contig: str
    source: str
    start: int
    end: int


def main() -> None:
    """Write, and say what there is."""
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    files = [GenomeFile(str(options.data / path), name) for name, path in FILES]
    with Genomes(files) as genomes:
        cuts = [cut_of(genomes.genomes[contig], contig, n) for contig, n in genomes.lengths.items()]
        genes = {
            name: write_genes(options, name, [cut for cut in cuts if cut.genome == name])
            for name in ("human", "mouse")
        }
        splits = dict(held_out(cuts, options))
        rows = write_splits(genomes, cuts, splits, options)
    given = [f"--fasta {file.name}={file.path}" for file in files]
    given += [f"--genes {name}={path}" for name, path in genes.items()]
    given.append(f"--intervals {options.output / 'splits.bed'}")
    (options.output / "corpus.args").write_text("\n".join(given) + "\n")
    report(rows, options.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "vertebrates")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--mouse-valid", type=float, default=1.3, help="Mb of the mouse to validate on")
    parser.add_argument("--k", type=int, default=31, help="bases on end that are shared, at most 31")
    return parser.parse_args()


def cut_of(genome: str, contig: str, length: int) -> Cut:
    """Where a contig comes from, by its name; the whole of itself where the name does not tell."""
    own = contig.removeprefix(f"{genome}.")
    found = _NAME.fullmatch(own)
    if found is None or int(found["last"]) - int(found["first"]) + 1 != length:
        return Cut(genome, own, own, 0, length)
    return Cut(genome, own, found["source"], int(found["first"]) - 1, int(found["last"]))


def write_genes(options: argparse.Namespace, genome: str, cuts: Iterable[Cut]) -> Path:
    """A genePred table of what lies on the contigs of a genome."""
    by_source = defaultdict(list)
    for cut in cuts:
        by_source[cut.source].append(cut)
    path = options.output / f"genes.{genome}.txt"
    with path.open("w") as file:
        for assembly, table in GENES.items():
            for transcript in read_transcripts(str(options.data / "annotation" / table)):
                for cut in by_source.get(f"{assembly}_{transcript.contig}", ()):
                    part = clipped(transcript, cut)
                    if part is not None:
                        file.write(gene_pred(part))
    return path


def clipped(transcript: Transcript, cut: Cut) -> Transcript | None:
    """The part of a transcript on a contig, in its coordinates; None where no exon is."""
    length = cut.end - cut.start
    shifted = [(start - cut.start, end - cut.start) for start, end in transcript.exons]
    exons = tuple((max(0, start), min(length, end)) for start, end in shifted if start < length and end > 0)
    if not exons:
        return None
    coding = transcript.coding
    if coding is not None:
        first, last = (min(max(0, at - cut.start), length) for at in coding)
        coding = (first, last) if first < last else None
    return Transcript(transcript.name, transcript.gene, cut.contig, transcript.strand, exons, coding)


def gene_pred(one: Transcript) -> str:
    """A line of UCSC's table."""
    starts, ends = ("".join(f"{exon[side]}," for exon in one.exons) for side in (0, 1))
    coding = one.coding or (one.end, one.end)
    fields = (one.name, one.contig, one.strand, one.start, one.end, *coding, len(one.exons), starts, ends)
    return "\t".join(map(str, (*fields, 0, one.gene))) + "\n"


def held_out(cuts: Iterable[Cut], options: argparse.Namespace) -> Iterator[tuple[Cut, str]]:
    """What is not trained on: contigs to validate or to test on."""
    table = (options.data / "human" / "pretrain.splits.tsv").read_text().split("\n")
    always = {line.split("\t")[0] for line in table if line.endswith("valid")}
    variants = variant_places(options.data)
    left = int(options.mouse_valid * 1e6)
    for cut in cuts:
        if cut.genome == "mouse":
            valid = left > 0 and cut.source.startswith("GRCm38") and cut.end - cut.start >= _LONG
            left -= (cut.end - cut.start) * valid
            yield cut, "valid" if valid else "test"
        elif cut.contig in always:
            yield cut, "valid"
        elif any(overlap(cut, other) for other in variants[cut.source]):
            yield cut, "test"


def variant_places(data: Path) -> dict[str, list[Cut]]:
    """Where variants of the benchmarks lie, by the sequence that they lie in."""
    places: defaultdict[str, list[Cut]] = defaultdict(list)
    index = data / "labelled" / "variants" / "clinvar.GRCh37_slices.fa.gz.fai"
    for line in index.read_text().splitlines():
        contig, length = line.split("\t")[:2]
        cut = cut_of("human", contig, int(length))
        places[cut.source].append(cut)
    return places


def overlap(one: Cut, other: Cut) -> bool:
    """Whether two cuts of one sequence share a base."""
    return one.source == other.source and one.start < other.end and other.start < one.end


def write_splits(
    genomes: Genomes, cuts: Iterable[Cut], splits: dict[Cut, str], options: argparse.Namespace
) -> list[Row]:
    """The BED, and how many bases there are of what."""
    known = shared_keys(genomes, [cut for cut in splits if cut.genome == "human"], options.k)
    bases: defaultdict[tuple[str, str], int] = defaultdict(int)
    with (options.output / "splits.bed").open("w") as file:
        for cut in cuts:
            split, length = splits.get(cut, "train"), cut.end - cut.start
            name = f"{cut.genome}.{cut.contig}"
            pieces = [(0, length)]
            if split == "train" and cut.genome in _ALIKE:
                pieces = list(apart(genomes.fetch(name, 0, length), known, options.k))
                bases[cut.genome, "left out"] += length - sum(end - start for start, end in pieces)
            for start, end in pieces:
                bases[cut.genome, split] += end - start
                file.write(f"{name}\t{start}\t{end}\t{split}\n")
    return [{"genome": name, "split": split, "bases": count} for (name, split), count in bases.items()]


def shared_keys(genomes: Genomes, cuts: Iterable[Cut], k: int) -> npt.NDArray[np.int64]:
    """All k-mers of some contigs, sorted."""
    found = [
        keys_of(encode(genomes.fetch(f"{cut.genome}.{cut.contig}", 0, cut.end - cut.start).decode()), k)
        for cut in cuts
    ]
    keys = np.unique(np.concatenate(found))
    return keys[keys >= 0]


def apart(letters: bytes, known: npt.NDArray[np.int64], k: int) -> Iterator[tuple[int, int]]:
    """The pieces of a sequence that are not the same as what is known, start and end of each."""
    codes = encode(letters.decode())
    same = np.zeros(len(codes) // _BLOCK + 1, bool)
    for strand in (codes, opposite(codes)):
        keys = keys_of(strand, k)[::_STEP]
        nearest = known[np.minimum(np.searchsorted(known, keys), len(known) - 1)]
        places = np.arange(len(keys)) * _STEP
        places = places if strand is codes else len(codes) - k - places
        hits = np.bincount(places[nearest == keys] // _BLOCK, minlength=len(same))
        same |= hits >= _SHARE * _BLOCK / _STEP
    beside = np.concatenate(([False], same, [False]))
    same |= beside[:-2] | beside[2:]
    edges = np.flatnonzero(np.diff(np.concatenate(([True], same, [True])).astype(np.int8)))
    for start, end in zip(edges[::2] * _BLOCK, edges[1::2] * _BLOCK, strict=True):
        if start < min(end, len(codes)):
            yield int(start), int(min(end, len(codes)))


if __name__ == "__main__":
    main()
