"""How scores are distributed, by kind of allele: counted block by block, in memory that does not grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from janusdna_cli.variants.scores import SCORES

__all__ = ["KINDS", "PERCENTILES", "SCORE_COLUMNS", "Distributions", "Histogram", "Percentiles", "kinds_of"]

Counted = TypeVar("Counted")
Floats = npt.NDArray[np.floating]

# In the order in which they are told apart; an allele of two lengths is what it does to the length.
KINDS = ("SNV", "MNV", "insertion", "deletion")
SCORE_COLUMNS = tuple(column.name for score in SCORES.values() for column in score.columns)
PERCENTILES = tuple(f"{name}_pct" for name in SCORE_COLUMNS)

_BASES = "ACGTacgt"


class Histogram:
    """Counts of values in equal bins around 0, wide enough for the largest, in whatever order they come.

    Attributes:
        reach: All values are nearer to 0; a power of 2.
        counts: In bins from `-reach` to `reach`, (2 * n,).
    """

    def __init__(self, bins: int = 2048) -> None:
        self.reach = 2.0**-10
        self.counts = np.zeros(2 * bins, np.int64)

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """Of the bins, (2 * n + 1,)."""
        return np.linspace(-self.reach, self.reach, len(self.counts) + 1)

    def add(self, values: Floats) -> None:
        """Count finite values."""
        while len(values) and np.abs(values).max() >= self.reach:
            self._reach_further()
        at = np.floor((values.astype(np.float64) / self.reach + 1) * (len(self.counts) / 2)).astype(np.int64)
        self.counts += np.bincount(at, minlength=len(self.counts))

    def to(self, reach: float) -> None:
        """Make it as wide as another."""
        while self.reach < reach:
            self._reach_further()

    def _reach_further(self) -> None:
        """Two bins become one, with empty ones on both sides."""
        halved = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.pad(halved, len(halved) // 2)
        self.reach *= 2


class Percentiles:
    """Counts of percentiles in bins of equal width on a logarithmic scale.

    Attributes:
        edges: The upper ends of the bins, 1e-5 to 1.
        counts: In each, (n,); in the first also what lies below.
    """

    edges = np.logspace(-5, 0, 201)

    def __init__(self) -> None:
        self.counts = np.zeros(len(self.edges), np.int64)

    def add(self, values: Floats) -> None:
        """Count values of 0 to 1."""
        at = np.searchsorted(self.edges, np.clip(values, 0, 1))
        self.counts += np.bincount(at, minlength=len(self.edges))


@dataclass
class Distributions:
    """What was counted of a table.

    Attributes:
        rows: All of them.
        statuses: Rows by status.
        kinds: Alleles with at least one score, by kind.
        scores: By column and kind.
        percentiles: The same of columns of percentiles.
    """

    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    scores: dict[str, dict[str, Histogram]] = field(default_factory=dict)
    percentiles: dict[str, dict[str, Percentiles]] = field(default_factory=dict)

    @classmethod
    def of(cls, blocks: Iterable[pd.DataFrame]) -> Distributions:
        """Of a table in blocks of rows, as `read_scores` gives them."""
        found = cls()
        for block in blocks:
            found._add(block)
        found.scores = _in_order(found.scores, SCORE_COLUMNS)
        found.percentiles = _in_order(found.percentiles, PERCENTILES)
        return found

    def _add(self, block: pd.DataFrame) -> None:
        self.rows += len(block)
        self.statuses.update(Counter(map(str, block["status"].fillna("(none)"))))
        kinds = kinds_of(block["ref"], block["alt"])
        columns = [name for name in (*SCORE_COLUMNS, *PERCENTILES) if name in block]
        values = block[columns].to_numpy(np.float32, na_value=np.nan)
        is_there = np.isfinite(values)
        for kind in KINDS:
            of_kind = kinds == kind
            self.kinds[kind] += int((of_kind & is_there.any(axis=1)).sum())
            for name, column, known in zip(columns, values.T, is_there.T, strict=True):
                chosen = column[of_kind & known]
                if not len(chosen):
                    continue
                if name in PERCENTILES:
                    self.percentiles.setdefault(name, {}).setdefault(kind, Percentiles()).add(chosen)
                else:
                    self.scores.setdefault(name, {}).setdefault(kind, Histogram()).add(chosen)


def _in_order(
    counted: dict[str, dict[str, Counted]], columns: Iterable[str]
) -> dict[str, dict[str, Counted]]:
    """By column and kind, in whichever order they were met."""
    return {
        column: {kind: counted[column][kind] for kind in KINDS if kind in counted[column]}
        for column in columns
        if column in counted
    }


def kinds_of(refs: pd.Series[str], alts: pd.Series[str]) -> npt.NDArray[np.str_]:
    """The kind of each allele, (n,); empty for what has no sequence."""
    pairs = pd.MultiIndex.from_arrays([refs.fillna("."), alts.fillna(".")])
    codes, unique = pairs.factorize()
    found: npt.NDArray[np.str_] = np.array([_kind(ref, alt) for ref, alt in unique], "<U9")[codes]
    return found


def _kind(ref: str, alt: str) -> str:
    if not ref or not alt or set(ref) - set(_BASES) or set(alt) - set(_BASES):
        return ""
    if len(ref) != len(alt):
        return "insertion" if len(alt) > len(ref) else "deletion"
    pairs = zip(ref.upper(), alt.upper(), strict=True)
    return "MNV" if sum(a != b for a, b in pairs) > 1 else "SNV"
