"""Every allele of neighbouring bases: one row each, as arrays.

Legend: n bases, m rows.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from janusdna import tokens
from janusdna_cli.backgrounds.classes import substitution_class
from janusdna_cli.genome.alleles import Allele
from janusdna_cli.genome.variant import Variant

__all__ = ["DELETION", "NO_ALLELE", "Alleles", "row_count"]

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# What a row has where a substitution has the number of its base: 0 to 3 for A, C, G, T.
DELETION, NO_ALLELE = -2, -1

# Words of one letter by their ASCII code, after them those of two.
_LETTERS = 128
_WORDS = pa.array(
    [*map(chr, range(_LETTERS)), *(chr(a) + chr(b) for a in range(_LETTERS) for b in range(_LETTERS))]
)
_C, _G = b"CG"
_ALT_WORDS = np.frombuffer(b"ACGT.", np.uint8).astype(np.int64)


def row_count(ids: npt.NDArray[np.uint8], *, deletions: bool) -> int:
    """How many rows bases have.

    Args:
        ids: Their token ids.
        deletions: Whether each is deleted, too.
    """
    known = int(np.count_nonzero(tokens.is_base(ids)))
    return known * (3 + deletions) + len(ids) - known


@dataclass(frozen=True, eq=False)
class Alleles:
    """Every allele of neighbouring bases.

    Rows are base by base, and ascending by position: first a base's deletion, then what replaces it, from A
    to T. A base that is not A, C, G, T has one row without ALT.

    Attributes:
        contig: Where they lie.
        start: The first of them, 0-based.
        bases: The reference's, upper case, (n,).
        before: The base before the first; empty at the contig's start.
        after: The base after the last; empty at the contig's end.
        deletions: Whether each base is deleted, too.
    """

    contig: str
    start: int
    bases: bytes
    before: bytes
    after: bytes
    deletions: bool

    def __len__(self) -> int:
        return len(self.base)

    @cached_property
    def ids(self) -> npt.NDArray[np.uint8]:
        """Token ids of the bases, (n,)."""
        return tokens.encode(self.bases)

    @property
    def base(self) -> Integers:
        """Which of the bases each row is of, (m,)."""
        return self._rows[0]

    @property
    def alt(self) -> Integers:
        """What it becomes, (m,): 0 to 3 for A, C, G, T, `DELETION`, or `NO_ALLELE` where it is no base."""
        return self._rows[1]

    @property
    def codes(self) -> Integers:
        """The bases as 0 to 3, (n,); others are negative or more."""
        return self.ids.astype(np.int64) - tokens.A

    @property
    def pos(self) -> Integers:
        """As a VCF has it, 1-based, (m,): a deletion stands at the base before it, where there is one."""
        own: Integers = self.start + self.base + 1 - (self.alt == DELETION)
        return np.maximum(own, 1)

    @cached_property
    def ref(self) -> Any:
        """As a VCF has it, (m,) strings."""
        return self._words(self._deleted[0], self._beside(0)[self.base])

    @cached_property
    def alts(self) -> Any:
        """As a VCF has it, (m,) strings; `.` where there is none."""
        return self._words(self._deleted[1], _ALT_WORDS[self.alt])

    def classes(self) -> dict[str, Integers]:
        """The rows of substitutions, by the class within which their scores are compared."""
        own = self._beside(0)
        cpg = ((own == _C) & (self._beside(1) == _G)) | ((own == _G) & (self._beside(-1) == _C))
        found = defaultdict[str, list[Integers]](list)
        for ref, alt in itertools.permutations(range(4), 2):
            is_change = (self.alt == alt) & (self.codes[self.base] == ref)
            for is_cpg in (False, True):
                rows = np.flatnonzero(is_change & (cpg[self.base] == is_cpg))
                if len(rows):
                    found[substitution_class("ACGT"[ref], "ACGT"[alt], is_cpg=is_cpg)].append(rows)
        return {kind: np.concatenate(rows) for kind, rows in found.items()}

    def variants(self, rows: Integers) -> Iterator[Variant]:
        """Some rows as a VCF's records."""
        columns = (self.pos[rows].tolist(), self.ref.take(rows).to_pylist(), self.alts.take(rows).to_pylist())
        for pos, ref, alt in zip(*columns, strict=True):
            yield Variant(self.contig, pos, None, ref, (alt,))

    def substitution(self, row: int) -> Allele:
        """A row that is one, as a normalised allele."""
        base = int(self.base[row])
        ref, alt = self.bases[base : base + 1], b"ACGT"[self.alt[row] : self.alt[row] + 1]
        return Allele(self.contig, self.start + base, ref, alt)

    @cached_property
    def _rows(self) -> tuple[Integers, Integers]:
        known = tokens.is_base(self.ids)
        wanted = np.zeros((len(self.ids), 6), bool)  # by base and by what it becomes
        wanted[:, DELETION + 2] = known & self.deletions
        wanted[:, NO_ALLELE + 2] = ~known
        wanted[:, 2:] = known[:, None] & (self.codes[:, None] != np.arange(4))
        base, alt = np.nonzero(wanted)
        return base, alt - 2

    def _words(self, of_deletions: Integers, of_others: Integers) -> Any:
        """Words by their numbers: the one of a base, (n,), where it is deleted, else that of a row, (m,)."""
        return _WORDS.take(pa.array(np.where(self.alt == DELETION, of_deletions[self.base], of_others)))

    @cached_property
    def _deleted(self) -> tuple[Integers, Integers]:
        """REF and ALT where a base is deleted, (n,): with the base before it; with the next at the start."""
        before, own, after = (self._beside(by) for by in (-1, 0, 1))
        ref, alt = _pairs(before, own), before.copy()
        if not self.before:
            ref[:1], alt[:1] = _pairs(own, after)[:1], after[:1]
        return ref, alt

    def _beside(self, by: int) -> Integers:
        """The letters so many bases to the right of each, (n,); 0 outside the contig."""
        text = (self.before or b"\0") + self.bases + (self.after or b"\0")
        return np.frombuffer(text, np.uint8).astype(np.int64)[1 + by : 1 + by + len(self.bases)]


def _pairs(one: Integers, two: Integers) -> Integers:
    """Numbers of the words of two letters."""
    return _LETTERS * (1 + one) + two
