"""What is asked of the reference for alleles, and what the answers come to.

alleles of one window, each placed in it with its scores -> one request -> one answer -> values by allele
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from janusdna import tokens
from janusdna_cli.genome.alleles import Allele
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.chunks import encode_window
from janusdna_cli.reading.requests import Haplotype, Request
from janusdna_cli.variants.scores import PlacedAllele, Positions, ReadAllele, Score, values, wanted_scores

__all__ = ["AlleleQuestion", "Values", "WindowQuestion"]

# Of an allele, by column.
Values = Mapping[str, float | None]


@dataclass(frozen=True, eq=False)
class AlleleQuestion:
    """One allele in a window, and what is to be computed of it.

    Attributes:
        window: Where it is read.
        placed: The allele in it.
        scores: All that is computed.
    """

    window: Window
    placed: PlacedAllele
    scores: tuple[Score, ...]

    @classmethod
    def of(cls, allele: Allele, window: Window, asked: tuple[str, ...] | None, span: int) -> AlleleQuestion:
        """Of a normalised allele.

        Args:
            allele: What changes.
            window: Where it is read.
            asked: Names of scores; None for the default ones.
            span: Bases on each side that some scores read.
        """
        placed = PlacedAllele(allele, allele.start - window.start, len(window), span)
        return cls(window, placed, wanted_scores(allele, asked))

    @cached_property
    def targets(self) -> Positions:
        """Positions of the REF window that are read, in no order, some of them twice."""
        looks = dict.fromkeys(score.positions for score in self.scores)
        return np.concatenate([look(self.placed) for look in looks])

    @cached_property
    def haplotype(self) -> Haplotype | None:
        """The ALT haplotype where a score reads it and it differs from REF."""
        allele, at = self.placed.allele, self.placed.at
        if allele.ref == allele.alt or not any(score.reads_alternative for score in self.scores):
            return None
        near = self.placed.around
        ids = tokens.encode(allele.alt)
        return Haplotype(at, at + len(allele.ref), ids, int(near[0]), int(near[-1]) + 1)

    @property
    def positions_read(self) -> int:
        """Of REF and of ALT, for an estimate of what they take in memory."""
        alt = self.haplotype
        return len(self.targets) + (0 if alt is None else alt.last - alt.first + len(alt.ids))

    def values(self, answer: WindowAnswer) -> Values:
        """What the answer to the window's request comes to."""
        alt = None if self.haplotype is None else answer.haplotypes[self.haplotype]
        return values(self.scores, ReadAllele(self.placed, answer, alt)) | {"n_frac": answer.n_frac}


@dataclass(frozen=True, eq=False)
class WindowQuestion:
    """A window and its alleles: those of one window share its reading, equal ones their values.

    Attributes:
        window: Where it lies.
        sites: Positions that are read besides those of the alleles.
        alleles: What is asked of each.
    """

    window: Window
    sites: list[Positions] = field(default_factory=list)
    alleles: dict[Allele, AlleleQuestion] = field(default_factory=dict)

    def request(self, reference: Reference, strands: tuple[bool, ...]) -> Request:
        """What is to be read.

        Raises:
            InputError: If the window holds a letter that is no nucleotide code.
        """
        ids = encode_window(reference, self.window)
        of_alleles = (question.targets for question in self.alleles.values())
        targets = np.unique(np.concatenate([*self.sites, *of_alleles]))
        haplotypes = [question.haplotype for question in self.alleles.values() if question.haplotype]
        return Request(ids, targets, strands, haplotypes)

    def values(self, answer: WindowAnswer) -> dict[Allele, Values]:
        """What the answer comes to, for each allele."""
        return {allele: question.values(answer) for allele, question in self.alleles.items()}
