"""Where parts of genes are in a genome: the ends of introns, codons, start and stop codons.

Legend: n codons; T bases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from codons import amino_acids
from counts import read_codes

from janusdna_cli.corpus.codes import OTHER, Codes, opposite
from janusdna_cli.genome.genes import read_transcripts
from janusdna_cli.genome.genomes import Genomes, genome_file
from janusdna_cli.genome.transcripts import Transcript
from janusdna_cli.genome.windows import Window

Positions = npt.NDArray[np.int64]
# By contig.
Genes = dict[str, list[Transcript]]

_STOP = ord("*")


class Spot(NamedTuple):
    """A place between two bases, as seen from one strand.

    Attributes:
        contig: Where.
        at: The base after it on the forward strand, 0-based.
        reverse: Whether it is seen from the other strand.
    """

    contig: str
    at: int
    reverse: bool


class Codons(NamedTuple):
    """Codons in the order in which they are read.

    Attributes:
        positions: On the contig's forward strand, of each base in the order of reading, (n, 3).
        codes: On the strand that is read, (n, 3).
    """

    positions: Positions
    codes: Codes


def read_genes(given: Iterable[str], genomes: Genomes) -> Genes:
    """Transcripts that lie on a contig, of files given as `[NAME=]FILE`.

    Raises:
        SystemExit: A file has none.
    """
    found: Genes = defaultdict(list)
    for one in given:
        file = genome_file(one)
        before = sum(map(len, found.values()))
        for transcript in read_transcripts(file.path):
            contig = file.contig(transcript.contig)
            if transcript.end <= genomes.lengths.get(contig, 0):
                found[contig].append(replace(transcript, contig=contig))
        if sum(map(len, found.values())) == before:
            raise SystemExit(
                f"{file.path}: no transcript lies on a contig of the FASTA of {file.name or 'it'}"
            )
    return found


def fetch_codes(genomes: Genomes, contig: str, start: int, end: int) -> Codes:
    """Bases of the forward strand, (T,); those outside of the contig are unknown."""
    return read_codes(genomes, Window(contig, start, end), 0, Window(contig, 0, genomes.lengths[contig]))


def junctions(transcripts: Iterable[Transcript], genomes: Genomes) -> dict[str, list[Spot]]:
    """Donors and acceptors of introns that begin with GT and end with AG, each place once."""
    found: dict[str, set[Spot]] = {"donor": set(), "acceptor": set()}
    for one in transcripts:
        reverse = one.strand == "-"
        for start, end in one.introns:
            ends = genomes.fetch(one.contig, start, start + 2) + genomes.fetch(one.contig, end - 2, end)
            if ends == (b"CTAC" if reverse else b"GTAG"):
                donor, acceptor = (end, start) if reverse else (start, end)
                found["donor"].add(Spot(one.contig, donor, reverse))
                found["acceptor"].add(Spot(one.contig, acceptor, reverse))
    return {name: sorted(spots) for name, spots in found.items()}


def coding_positions(transcript: Transcript) -> Positions:
    """Of the bases from the start codon to the stop codon, in the order in which they are read, (T,)."""
    parts = [np.arange(start, end) for start, end in transcript.coding_exons()]
    positions = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return positions[::-1] if transcript.strand == "-" else positions


def codons_of(transcript: Transcript, genomes: Genomes) -> Codons | None:
    """Those of a transcript; None where it codes for nothing, or not as annotated.

    That is, its coding bases are no whole codons, or a stop stands among them.
    """
    positions = coding_positions(transcript)
    if not len(positions) or len(positions) % 3:
        return None
    first = int(positions.min())
    codes = fetch_codes(genomes, transcript.contig, first, int(positions.max()) + 1)[positions - first]
    if transcript.strand == "-":
        codes = opposite(codes)[::-1]
    found = Codons(positions.reshape(-1, 3), codes.reshape(-1, 3))
    known = (found.codes[:-1] != OTHER).all(axis=1)
    return None if (amino_acids(found.codes[:-1][known]) == _STOP).any() else found


def unambiguous(every: Sequence[Codons]) -> Codons:
    """Codons without start and stop, each once; none with a base that another codon has at another place."""
    inner = [one.positions[1:-1] for one in every], [one.codes[1:-1] for one in every]
    if not every:
        return Codons(np.zeros((0, 3), np.int64), np.zeros((0, 3), np.uint8))
    positions, at = np.unique(np.concatenate(inner[0]), axis=0, return_index=True)
    codes = np.concatenate(inner[1])[at]
    bases, times = np.unique(positions, return_counts=True)
    kept = np.isin(positions, bases[times == 1]).all(axis=1) & (codes != OTHER).all(axis=1)
    return Codons(positions[kept], codes[kept])


def end_codons(every: Iterable[Codons], which: int, letter: str, contig: str) -> list[Spot]:
    """Places of first (0) or last (-1) codons of one amino acid, seen from its strand: each begins there."""
    found = set()
    for one in every:
        positions, codes = one.positions[which], one.codes[which]
        in_one_exon = np.ptp(positions) == 2
        if in_one_exon and (codes != OTHER).all() and amino_acids(codes[None])[0] == ord(letter):
            reverse = bool(positions[0] > positions[1])
            found.add(Spot(contig, int(positions[0]) + reverse, reverse))
    return sorted(found)


def exonic(transcripts: Iterable[Transcript], start: int, end: int) -> npt.NDArray[np.bool_]:
    """Bases of [start, end) that lie in an exon, (T,)."""
    mask = np.zeros(end - start, bool)
    for one in transcripts:
        for first, last in one.exons:
            mask[max(0, first - start) : max(0, last - start)] = True
    return mask
