"""What a change does to genes: the most severe consequence over all transcripts.

    splice site      one of the intron's two first or two last bases
    stop gained, start lost, stop lost, missense
    splice region    the 3rd to 8th base of an intron from either end, or of an exon the three beside it
    synonymous
    untranslated     another base of an exon
    intron
    other            no transcript

Introns of fewer than 20 bases are gaps of an alignment, whose ends are no splice sites. A transcript whose
coding bases are no whole codons, or have a stop among them, says nothing of codons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from codons import amino_acids
from gene_parts import Codons, Genes, Positions, codons_of

from janusdna_cli.corpus.codes import BASES, OTHER
from janusdna_cli.genome.genomes import Genomes
from janusdna_cli.genome.transcripts import Transcript
from janusdna_cli.labelled.info import LabelledAllele

# The most severe first.
SEVERITY = (
    "splice site",
    "stop gained",
    "start lost",
    "stop lost",
    "missense",
    "splice region",
    "synonymous",
    "untranslated",
    "intron",
    "other",
)
TRUNCATING = ("splice site", "stop gained")
_SHORTEST_INTRON, _SITE, _REGION, _EXON_REGION = 20, 2, 8, 3


class _Coding(NamedTuple):
    """Codons of a transcript, found by the position of any of their bases."""

    codons: Codons
    order: Positions
    sorted: Positions

    @classmethod
    def of(cls, codons: Codons) -> _Coding:
        every = codons.positions.ravel()
        order = np.argsort(every)
        return cls(codons, order, every[order])

    def find(self, position: int) -> tuple[int, int] | None:
        """The number of the codon, and the base in it."""
        at = int(np.searchsorted(self.sorted, position))
        if at == len(self.sorted) or self.sorted[at] != position:
            return None
        return divmod(int(self.order[at]), 3)


class Consequences:
    """What changes of a genome do to its genes.

    Args:
        genes: By contig.
        genomes: Where they lie.

    Attributes:
        unsound: Coding transcripts whose codons do not read as a protein.
    """

    def __init__(self, genes: Genes, genomes: Genomes) -> None:
        self._genes = genes
        self._coding: dict[Transcript, _Coding] = {}
        self.unsound = 0
        for transcript in (one for transcripts in genes.values() for one in transcripts):
            codons = codons_of(transcript, genomes)
            if codons is not None:
                self._coding[transcript] = _Coding.of(codons)
            self.unsound += codons is None and transcript.coding is not None
        self._sites = {contig: _sites(transcripts) for contig, transcripts in genes.items()}

    def of(self, allele: LabelledAllele) -> str:
        """The most severe of a substitution of one base.

        Raises:
            ValueError: REF is not the base of a codon that it lies in.
        """
        position = allele.pos - 1
        found = [
            self._of_transcript(one, position, allele)
            for one in self._genes.get(allele.chrom, ())
            if one.start <= position < one.end
        ]
        return min(found, key=SEVERITY.index, default="other")

    def touches_site(self, allele: LabelledAllele) -> bool:
        """Whether any base of REF, behind one that ALT begins with as well, is of a splice site."""
        first = allele.pos - 1 + (allele.ref[:1] == allele.alt[:1] and len(allele.ref) > 1)
        return any(
            self.distance(allele.chrom, at) == 0 for at in range(first, allele.pos - 1 + len(allele.ref))
        )

    def is_coding(self, allele: LabelledAllele) -> bool:
        """Whether any base of REF is a coding one."""
        positions = range(allele.pos - 1, allele.pos - 1 + len(allele.ref))
        return any(
            start <= at < end
            for one in self._genes.get(allele.chrom, ())
            for start, end in one.coding_exons()
            for at in positions
        )

    def distance(self, contig: str, position: int) -> float:
        """Bases to the nearest base of a splice site; infinite where there is none."""
        sites = self._sites.get(contig, np.zeros(0, np.int64))
        at = int(np.searchsorted(sites, position))
        near = sites[max(0, at - 1) : at + 1]
        return float(np.abs(near - position).min()) if len(near) else float("inf")

    def _of_transcript(self, transcript: Transcript, position: int, allele: LabelledAllele) -> str:
        from_intron = _from_introns(transcript, position)
        if not any(start <= position < end for start, end in transcript.exons):
            in_gap = from_intron < 0
            if from_intron <= _SITE and not in_gap:
                return "splice site"
            return "splice region" if from_intron <= _REGION and not in_gap else "intron"
        coding = self._coding.get(transcript)
        place = None if coding is None else coding.find(position)
        found = "untranslated"
        if coding is not None and place is not None:
            found = _of_codon(coding.codons, *place, allele, transcript.strand == "-")
        in_region = -from_intron <= _EXON_REGION
        return min(found, "splice region", key=SEVERITY.index) if in_region else found


def _from_introns(transcript: Transcript, position: int) -> float:
    """Which base of an intron it is, counted from 1 at the nearer end; of an exon the same, negative."""
    found = float("inf")
    for start, end in transcript.introns:
        if end - start < _SHORTEST_INTRON:
            continue
        if start <= position < end:
            return min(position - start + 1, end - position)
        found = min(found, start - position if position < start else position - end + 1)
    return -found


def _of_codon(codons: Codons, which: int, base: int, allele: LabelledAllele, reverse: bool) -> str:
    codon = codons.codes[which]
    ref, alt = (BASES.index(letter) for letter in (allele.ref, allele.alt))
    ref, alt = (3 - ref, 3 - alt) if reverse else (ref, alt)
    if codon[base] != ref:
        raise ValueError(f"{allele.chrom}:{allele.pos}: REF is {allele.ref}, not the base of the codon there")
    changed = codon.copy()
    changed[base] = alt
    if (codon == OTHER).any():
        return "untranslated"
    before, after = amino_acids(np.stack((codon, changed)))
    if which == 0 and before == ord("M"):
        return "start lost"
    if before == after:
        return "synonymous"
    if after == ord("*"):
        return "stop gained"
    return "stop lost" if before == ord("*") else "missense"


def _sites(transcripts: Sequence[Transcript]) -> Positions:
    """The bases of splice sites, ascending."""
    introns = {intron for one in transcripts for intron in one.introns}
    long = [(start, end) for start, end in introns if end - start >= _SHORTEST_INTRON]
    bases = {at for start, end in long for at in (start, start + 1, end - 2, end - 1)}
    return np.array(sorted(bases), np.int64)
