"""What reading alleles takes: rows, work and memory, told from their text before anything is looked up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from janusdna_cli.genome.alleles import Status, classify_alt
from janusdna_cli.genome.variant import Variant
from janusdna_cli.reading.chunks import ATTENDED_BASES, Load
from janusdna_cli.variants.scores import SCORES

__all__ = ["AlleleLoads"]


@dataclass(frozen=True)
class AlleleLoads:
    """What reading alleles takes.

    Attributes:
        window: Bases of context.
        strands: How many are read.
        asked: Names of scores; None for the default ones.
        span: Bases on each side that some scores read.
        hidden_size: Of the model.
    """

    window: int
    strands: int
    asked: tuple[str, ...] | None
    span: int
    hidden_size: int

    def of_record(self, variant: Variant) -> Load:
        """Of all alleles of a record, in one window."""
        return self.of_window([(variant, alt) for alt in variant.alts or (".",)])

    def of_window(self, alleles: Iterable[tuple[Variant, str]]) -> Load:
        """Of alleles that share a window."""
        rows = letters = sites = around = 0
        for variant, alt in alleles:
            rows += 1
            letters += len(variant.ref) + len(alt) + len(variant.record or b"")
            if classify_alt(alt) is not Status.ok:
                continue
            sites += 1
            if self._reads_haplotype(variant.ref, alt):
                around += 2 * (2 * self.span + max(len(variant.ref), len(alt)))
        return self.of_positions(rows, letters, sites, around)

    def of_positions(self, rows: int, size: int, sites: int, around: int) -> Load:
        """Of rows that share a window.

        Args:
            rows: How many.
            size: Bytes of their letters.
            sites: Positions read in the window; none where it is not read.
            around: Positions read around alleles, of both haplotypes.
        """
        read = self.window if sites else 0
        bases = self.strands * (read + around * (1 + self.window / ATTENDED_BASES))
        return Load(rows, bases, size + 2 * read + (sites + around) * 4 * (8 + self.hidden_size))

    def _reads_haplotype(self, ref: str, alt: str) -> bool:
        if self.asked is None:
            return len(ref) != len(alt)
        return any(SCORES[name].reads_alternative for name in self.asked)
