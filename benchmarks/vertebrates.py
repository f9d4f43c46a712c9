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
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from baselines import SHARED
from measure import Row, arguments, report
from slices import Slice

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
_BLOCK, _STEP, _SHARE = 512, 8, 0.5
_LONG = 30_000


class Part(NamedTuple):
    """A contig of a species, by its own name."""

    genome: str
    slice: Slice

    @property
    def name(self) -> str:
        """As `Genomes` calls it."""
        return f"{self.genome}.{self.slice.contig}"


def main() -> None:
    """Write, and say what there is."""
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    files = [GenomeFile(str(options.data / path), name) for name, path in FILES]
    with Genomes(files) as genomes:
        parts = [
            Part(genomes.genomes[contig], Slice.of(genomes.own_name(contig), length))
            for contig, length in genomes.lengths.items()
        ]
        genes = {name: write_genes(options, name, parts) for name in ("human", "mouse")}
        rows = write_splits(genomes, parts, dict(held_out(parts, options)), options)
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


def write_genes(options: argparse.Namespace, genome: str, parts: Iterable[Part]) -> Path:
    """A genePred table of what lies on the contigs of a genome."""
    by_source = defaultdict(list)
    for part in parts:
        if part.genome == genome:
            by_source[part.slice.source].append(part.slice)
    path = options.output / f"genes.{genome}.txt"
    with path.open("w") as file:
        for assembly, table in GENES.items():
            for transcript in read_transcripts(str(options.data / "annotation" / table)):
                for own in by_source.get(f"{assembly}_{transcript.contig}", ()):
                    clipped = own.clipped(transcript)
                    if clipped is not None:
                        file.write(gene_pred(clipped))
    return path


def gene_pred(one: Transcript) -> str:
    """A line of UCSC's table."""
    starts, ends = ("".join(f"{exon[side]}," for exon in one.exons) for side in (0, 1))
    coding = one.coding or (one.end, one.end)
    fields = (one.name, one.contig, one.strand, one.start, one.end, *coding, len(one.exons), starts, ends)
    return "\t".join(map(str, (*fields, 0, one.gene))) + "\n"


def held_out(parts: Iterable[Part], options: argparse.Namespace) -> Iterator[tuple[Part, str]]:
    """What is not trained on: contigs to validate or to test on."""
    table = (options.data / "human" / "pretrain.splits.tsv").read_text().split("\n")
    always = {line.split("\t")[0] for line in table if line.endswith("valid")}
    variants = variant_places(options.data)
    left = int(options.mouse_valid * 1e6)
    for part in parts:
        own = part.slice
        if part.genome == "mouse":
            valid = left > 0 and own.source.startswith("GRCm38") and len(own) >= _LONG
            left -= len(own) * valid
            yield part, "valid" if valid else "test"
        elif own.contig in always:
            yield part, "valid"
        elif any(own.overlaps(other) for other in variants):
            yield part, "test"


def variant_places(data: Path) -> list[Slice]:
    """Where variants of the benchmarks lie."""
    index = data / "labelled" / "variants" / "clinvar.GRCh37_slices.fa.gz.fai"
    lines = [line.split("\t") for line in index.read_text().splitlines()]
    return [Slice.of(line[0], int(line[1])) for line in lines]


def write_splits(
    genomes: Genomes, parts: Iterable[Part], splits: dict[Part, str], options: argparse.Namespace
) -> list[Row]:
    """The BED, and how many bases there are of what."""
    known = shared_keys(genomes, [part for part in splits if part.genome == "human"], options.k)
    bases: defaultdict[tuple[str, str], int] = defaultdict(int)
    with (options.output / "splits.bed").open("w") as file:
        for part in parts:
            split, length = splits.get(part, "train"), len(part.slice)
            pieces = [(0, length)]
            if split == "train" and part.genome in _ALIKE:
                pieces = list(apart(genomes.fetch(part.name, 0, length), known, options.k))
                bases[part.genome, "left out"] += length - sum(end - start for start, end in pieces)
            for start, end in pieces:
                bases[part.genome, split] += end - start
                file.write(f"{part.name}\t{start}\t{end}\t{split}\n")
    return [{"genome": name, "split": split, "bases": count} for (name, split), count in bases.items()]


def shared_keys(genomes: Genomes, parts: Iterable[Part], k: int) -> npt.NDArray[np.int64]:
    """All k-mers of some contigs, sorted."""
    found = [keys_of(encode(genomes.fetch(part.name, 0, len(part.slice))), k) for part in parts]
    keys = np.unique(np.concatenate(found))
    return keys[keys >= 0]


def apart(letters: bytes, known: npt.NDArray[np.int64], k: int) -> Iterator[tuple[int, int]]:
    """The pieces of a sequence that are not the same as what is known, start and end of each."""
    codes = encode(letters)
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
