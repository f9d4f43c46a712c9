"""A small made-up genome with regions and variants, and sequences with labels, to try every command on.

The sequence is random and seeded; what it has of the real thing is a microsatellite, which a model should
read on, and dirt: soft-masked stretches, a run of N, a contig shorter than a window, regions and variants
that cannot be read. The labelled sequences hold the same two words, whose order is the label: counting words
does not tell it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from janusdna_cli.errors import InputError
from janusdna_cli.labelled.strands import reverse_complement
from janusdna_cli.outputs.destinations import written_aside

__all__ = ["DemoFiles", "make_demo"]

_SEED = 20_257
_LINE = 60
_CONTIGS = {"chr1": 60_000, "chr2": 20_000, "chrM": 600}
_MICROSATELLITE = 45_000, 45_060
# What the transcription factors AP-1 and ETS bind to.
_WORDS = {"AP1": "TGACTCA", "ETS": "GGAAGTG"}
_LABELLED, _LABELLED_LENGTH = 2_400, 60
_COMPLEMENT = {"A": "G", "G": "A", "C": "T", "T": "C"}


class DemoFiles:
    """Where the demo's files are.

    Args:
        directory: The folder of all of them.
    """

    def __init__(self, directory: Path) -> None:
        self.genome = directory / "genome.fa"
        self.regions = directory / "regions.bed"
        self.variants = directory / "variants.vcf"
        self.labels = directory / "labels.tsv"


def make_demo(directory: Path, *, overwrite: bool) -> DemoFiles:
    """Write the demo's files.

    Raises:
        InputError: If the folder holds something and is not to be overwritten.
    """
    if directory.is_file():
        raise InputError(f"{directory}: is a file, expected a folder to make")
    if directory.is_dir() and any(directory.iterdir()) and not overwrite:
        raise InputError(f"{directory}: is not empty; pass --overwrite to write into it all the same")
    directory.mkdir(parents=True, exist_ok=True)
    files = DemoFiles(directory)
    rng = random.Random(_SEED)
    genome = {name: _sequence(rng, length) for name, length in _CONTIGS.items()}
    _write(files.genome, (_fasta_record(name, bases) for name, bases in genome.items()))
    files.genome.with_suffix(".fa.fai").unlink(missing_ok=True)
    _write(files.regions, _regions(rng))
    _write(files.variants, _variants(rng, genome, files.genome.resolve()))
    _write(files.labels, _labels(rng))
    return files


def _write(path: Path, lines: Iterable[str]) -> None:
    """A whole file or none; the name of a folder within it, whatever its bytes are."""
    with written_aside(str(path), overwrite=True) as aside:
        aside.write_text("".join(lines), "utf-8", errors="surrogateescape")


def _sequence(rng: random.Random, length: int) -> str:
    bases = rng.choices("ACGT", weights=(30, 20, 20, 30), k=length)
    masked = slice(length // 3, length // 3 + length // 20)
    bases[masked] = [base.lower() for base in bases[masked]]
    if length > 10_000:
        bases[length - 500 :] = "N" * 500
    if length > _MICROSATELLITE[1]:
        bases[slice(*_MICROSATELLITE)] = "CA" * (len(range(*_MICROSATELLITE)) // 2)
    return "".join(bases)


def _fasta_record(name: str, bases: str) -> str:
    lines = (bases[i : i + _LINE] for i in range(0, len(bases), _LINE))
    return f">{name}\n" + "\n".join(lines) + "\n"


def _regions(rng: random.Random) -> Iterator[str]:
    for number in range(1, 9):
        start = rng.randrange(0, 50_000)
        yield f"chr1\t{start}\t{start + rng.randrange(50, 600)}\tregion_{number}\t0\t{rng.choice('+-')}\n"
    yield "chr2\t3000\t6000\tlonger_than_the_window\t0\t+\n"
    yield "chrM\t0\t600\ta_whole_short_contig\t0\t+\n"
    yield "chr2\t19900\t20100\tbeyond_the_end\t0\t+\n"


def _variants(rng: random.Random, genome: dict[str, str], fasta: Path) -> Iterator[str]:
    yield f"##fileformat=VCFv4.3\n##reference=file://{fasta}\n"
    yield "".join(f"##contig=<ID={name},length={len(bases)}>\n" for name, bases in genome.items())
    yield '##ALT=<ID=DEL,Description="Deletion">\n'
    yield '##INFO=<ID=END,Number=1,Type=Integer,Description="End of the variant">\n'
    yield "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    chr1 = genome["chr1"].upper()

    def record(pos: int, name: str, ref: str, alt: str, info: str = ".") -> str:
        return f"chr1\t{pos}\t{name}\t{ref}\t{alt}\t.\tPASS\t{info}\n"

    for number in range(1, 11):
        pos = number * 3_000 + rng.randrange(1_000)
        base = chr1[pos - 1]
        yield record(pos, f"snv_{number}", base, _COMPLEMENT[base])
    at = 40_000
    yield record(at, "insertion", chr1[at - 1], chr1[at - 1] + "ACG")
    yield record(at + 500, "deletion", chr1[at + 499 : at + 504], chr1[at + 499])
    two = chr1[at + 999 : at + 1001]
    yield record(at + 1000, "mnv", two, "".join(_COMPLEMENT[base] for base in two))
    ref = chr1[at + 1499]
    alts = ",".join(base for base in "ACGT" if base != ref)
    yield record(at + 1500, "multi_allelic", ref, alts)
    yield record(at + 2000, "symbolic", chr1[at + 1999], "<DEL>", f"END={at + 2200}")
    wrong = _COMPLEMENT[chr1[at + 2499]]
    yield record(at + 2500, "ref_mismatch", wrong, _COMPLEMENT[wrong])
    at = sum(_MICROSATELLITE) // 2
    yield record(at + 1, "in_microsatellite", chr1[at], _COMPLEMENT[chr1[at]])
    at = chr1.index("CG", _MICROSATELLITE[1])
    yield record(at + 1, "cpg_transition", "C", "T")
    yield "chr9\t100\tunknown_contig\tA\tC\t.\tPASS\t.\n"


def _labels(rng: random.Random) -> Iterator[str]:
    """Both words in each sequence, apart from each other, on either strand together."""
    yield "id\tsequence\torder\n"
    for number in range(1, _LABELLED + 1):
        first, second = rng.choice((("AP1", "ETS"), ("ETS", "AP1")))
        bases = rng.choices("ACGT", k=_LABELLED_LENGTH)
        at = rng.randrange(_LABELLED_LENGTH // 3)
        later = rng.randrange(at + 8, _LABELLED_LENGTH - 7)
        for place, name in ((at, first), (later, second)):
            bases[place : place + len(_WORDS[name])] = _WORDS[name]
        sequence = "".join(bases)
        if rng.random() < 0.5:
            sequence = reverse_complement(sequence)
        yield f"seq_{number}\t{sequence}\t{first}-{second}\n"
