"""The scores of an allele: what each is called, what it needs to be read, and its formula.

Every value is the mean of the strands' values; embeddings are averaged over the strands before their
distance is taken. docs/scoring.md says what each score means. To add one is to add a `Score` here: columns,
help, what is read and what memory that takes follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna_cli.genome.alleles import Allele
from janusdna_cli.reading.answers import HaplotypeAnswer, WindowAnswer, entropies
from janusdna_cli.reading.odds import change_of_odds

__all__ = [
    "COLUMNS",
    "DEFAULT_SCORES",
    "PERCENTILE",
    "SCORES",
    "UNITS",
    "Column",
    "PlacedAllele",
    "ReadAllele",
    "ReadSubstitutions",
    "Score",
    "values",
    "values_at_once",
    "wanted_scores",
]

Positions = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class PlacedAllele:
    """A normalised allele in a window.

    Attributes:
        allele: What changes.
        at: Its first base within the window, 0-based; the window's length where it stands behind it.
        length: Bases of the window.
        span: Bases on each side of the allele that some scores read.
    """

    allele: Allele
    at: int
    length: int
    span: int

    @property
    def site(self) -> Positions:
        """The allele's first base, or the window's last where it stands behind it."""
        return np.array([min(self.at, self.length - 1)])

    @cached_property
    def offsets(self) -> Positions:
        """Where the bases of a substitution differ, from its first on."""
        return np.array(self.allele.differing, dtype=np.int64)

    @property
    def differing(self) -> Positions:
        """Where the bases of a substitution differ, in the window."""
        return self.at + self.offsets

    @property
    def around(self) -> Positions:
        """From `span` before the allele to `span` after it, cut at the window."""
        end = self.at + len(self.allele.ref) + self.span
        return np.arange(max(0, self.at - self.span), min(self.length, end))

    def flanks(self, changed: int) -> Positions:
        """Which of the positions around are in both haplotypes, where so many bases are changed."""
        before = min(self.at, self.span)
        after = max(0, min(self.span, self.length - self.at - len(self.allele.ref)))
        return np.concatenate([np.arange(before), before + changed + np.arange(after)])


@dataclass(frozen=True, eq=False)
class ReadAllele:
    """A placed allele with what was read for its scores.

    Attributes:
        placed: The allele.
        window: The REF window, read wherever its scores look.
        haplotype: The ALT haplotype around the allele; None where no score needs it, or nothing changes.
    """

    placed: PlacedAllele
    window: WindowAnswer
    haplotype: HaplotypeAnswer | None

    @cached_property
    def ref_logp(self) -> float:
        """Sum of log p of the REF bases where REF and ALT differ."""
        return self._logp_of(self.placed.allele.ref)

    @cached_property
    def alt_logp(self) -> float:
        """Sum of log p of the ALT bases where REF and ALT differ."""
        return self._logp_of(self.placed.allele.alt)

    @cached_property
    def _logp(self) -> npt.NDArray[np.float32]:
        return self.window.logp_at(self.placed.differing)

    def _logp_of(self, bases: bytes) -> float:
        codes = tokens.encode(bases)[self.placed.offsets].astype(np.int64) - tokens.A
        logp = self._logp[:, np.arange(len(codes)), codes]
        return float(logp.sum(dtype=np.float64)) / len(logp)

    @cached_property
    def before_and_after(self) -> tuple[HaplotypeAnswer, HaplotypeAnswer]:
        """The REF and the ALT haplotype around the allele."""
        before = self.window.own(self.placed.around)
        return before, before if self.haplotype is None else self.haplotype


@dataclass(frozen=True, eq=False)
class ReadSubstitutions:
    """Substitutions of one base each, m of them, with what was read of n bases by S strands.

    Attributes:
        logp: Natural log p over A, C, G, T at each of the bases, (S, n, 4).
        base: Which of the bases each replaces, (m,).
        ref: The base that goes, (m,), 0 to 3 for A, C, G, T.
        alt: The base that comes, (m,), likewise.
    """

    logp: npt.NDArray[np.float32]
    base: Positions
    ref: Positions
    alt: Positions

    @cached_property
    def ref_logp(self) -> Values:
        """Log p of the REF bases, (m,)."""
        return self._mean_logp[self.base, self.ref]

    @cached_property
    def alt_logp(self) -> Values:
        """Log p of the ALT bases, (m,)."""
        return self._mean_logp[self.base, self.alt]

    @cached_property
    def entropy(self) -> Values:
        """Of the bases' predictions, in bits, (m,)."""
        return entropies(self.logp)[self.base]

    @cached_property
    def _mean_logp(self) -> Values:
        mean: Values = self.logp.mean(axis=0, dtype=np.float64)
        return mean


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: What it is called.
        meaning: What it holds.
        info: What INFO of a VCF calls it; None where it is not told there.
    """

    name: str
    meaning: str
    info: str | None = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """Something that is computed of an allele.

    Attributes:
        name: As `--scores` takes it.
        columns: What it fills.
        is_signed: Whether below and above zero mean opposite things.
        is_defined: For which alleles.
        positions: Which positions of the REF window it reads.
        reads_alternative: Whether it reads the ALT haplotype as well.
        compute: A value each column, None where there is none.
        compute_all: The same for many substitutions of one base each, which all have one: arrays (m,), far
            faster; None where each needs a haplotype of its own.
        percentile: The column that says how unusual it is; None for no such column.
    """

    name: str
    columns: tuple[Column, ...]
    is_signed: bool
    is_defined: Callable[[Allele], bool]
    positions: Callable[[PlacedAllele], Positions]
    reads_alternative: bool = False
    compute: Callable[[ReadAllele], tuple[float | None, ...]]
    compute_all: Callable[[ReadSubstitutions], tuple[Values, ...]] | None = None
    percentile: Column | None = None


def _any(allele: Allele) -> bool:
    return True


def _is_substitution(allele: Allele) -> bool:
    return allele.is_substitution


def _changes_bases(allele: Allele) -> bool:
    return allele.is_substitution and allele.ref != allele.alt


def _site(placed: PlacedAllele) -> Positions:
    return placed.site


def _differing(placed: PlacedAllele) -> Positions:
    return placed.differing


def _around(placed: PlacedAllele) -> Positions:
    return placed.around


def _llr(read: ReadAllele) -> tuple[float]:
    return (read.alt_logp - read.ref_logp,)


def _llr_of_all(read: ReadSubstitutions) -> tuple[Values]:
    return (read.alt_logp - read.ref_logp,)


def _delta_pll(read: ReadAllele) -> tuple[float]:
    before, after = read.before_and_after
    return (after.pll - before.pll,)


def _influence(read: ReadAllele) -> tuple[float | None]:
    allele, (before, after) = read.placed.allele, read.before_and_after
    if read.haplotype is None:
        return (0.0,)
    moved = change_of_odds(
        before.logp[:, read.placed.flanks(len(allele.ref))],
        after.logp[:, read.placed.flanks(len(allele.alt))],
    )
    return (float(moved.mean()) if moved.size else None,)


def _distances(read: ReadAllele) -> tuple[float, float]:
    a, b = (each.hidden for each in read.before_and_after)
    return float(np.linalg.norm(a - b)), 1 - float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _logp(read: ReadAllele) -> tuple[float, float]:
    return read.ref_logp, read.alt_logp


def _logp_of_all(read: ReadSubstitutions) -> tuple[Values, Values]:
    return read.ref_logp, read.alt_logp


def _entropy(read: ReadAllele) -> tuple[float | None]:
    at = read.placed.at
    return (read.window.entropy(at) if at < read.placed.length else None,)


def _entropy_of_all(read: ReadSubstitutions) -> tuple[Values]:
    return (read.entropy,)


_SHARE = "share of random alleles of its class with {}"
_ASKED_FOR = (
    Score(
        name="llr",
        columns=(Column("llr", "log p(ALT) - log p(REF) at the site, natural logarithm", "JANUS_LLR"),),
        is_signed=True,
        is_defined=_is_substitution,
        positions=_differing,
        compute=_llr,
        compute_all=_llr_of_all,
        percentile=Column("llr_pct", _SHARE.format("an llr as low")),
    ),
    Score(
        name="delta_pll",
        columns=(
            Column("delta_pll", "pseudo-log-likelihood of the ALT haplotype less that of REF", "JANUS_DPLL"),
        ),
        is_signed=True,
        is_defined=_any,
        positions=_around,
        reads_alternative=True,
        compute=_delta_pll,
        percentile=Column("delta_pll_pct", _SHARE.format("a delta_pll as low")),
    ),
    Score(
        name="embedding",
        columns=(
            Column("emb_l2", "Euclidean distance of the REF and ALT embeddings", "JANUS_L2"),
            Column("emb_cosine", "cosine distance of the REF and ALT embeddings", "JANUS_COS"),
        ),
        is_signed=False,
        is_defined=_any,
        positions=_around,
        reads_alternative=True,
        compute=_distances,
    ),
    Score(
        name="influence",
        columns=(
            Column("influence", "mean change of what is predicted around the allele, bits", "JANUS_INFL"),
        ),
        is_signed=False,
        is_defined=_any,
        positions=_around,
        reads_alternative=True,
        compute=_influence,
        percentile=Column("influence_pct", _SHARE.format("an influence as high")),
    ),
)
# What every allele's row has, whatever was asked for.
_ALWAYS = (
    Score(
        name="logp",
        columns=(
            Column("ref_logp", "log p(REF) at the site, natural logarithm"),
            Column("alt_logp", "log p(ALT) at the site, natural logarithm"),
        ),
        is_signed=True,
        is_defined=_changes_bases,
        positions=_differing,
        compute=_logp,
        compute_all=_logp_of_all,
    ),
    Score(
        name="entropy",
        columns=(Column("entropy", "entropy over A, C, G, T at the site, bits"),),
        is_signed=False,
        is_defined=_any,
        positions=_site,
        compute=_entropy,
        compute_all=_entropy_of_all,
    ),
)

# Those that can be asked for, by name; what is computed where nothing was: the first that is defined.
SCORES = {score.name: score for score in _ASKED_FOR}
DEFAULT_SCORES = ("llr", "delta_pll")
# Of columns that have one.
UNITS = {"llr": "nats", "delta_pll": "nats", "influence": "bits"}
# How unusual an allele is by the first of the scores that it has.
PERCENTILE = Column("pct", "percentile of the first score of --scores that the allele has", "JANUS_PCT")
COLUMNS = (
    *(column for score in _ASKED_FOR for column in (*score.columns, score.percentile) if column is not None),
    PERCENTILE,
    *(column for score in _ALWAYS for column in score.columns),
)


def wanted_scores(allele: Allele, asked: tuple[str, ...] | None) -> tuple[Score, ...]:
    """What is computed of an allele: what is asked for and defined; by default llr, else delta_pll."""
    if asked is None:
        asked = next((name,) for name in DEFAULT_SCORES if SCORES[name].is_defined(allele))
    return tuple(score for score in (*map(SCORES.__getitem__, asked), *_ALWAYS) if score.is_defined(allele))


def values(scores: tuple[Score, ...], read: ReadAllele) -> dict[str, float | None]:
    """The columns that `scores` fill."""
    return _by_column((score, score.compute(read)) for score in scores)


def values_at_once(scores: tuple[Score, ...], read: ReadSubstitutions) -> dict[str, Values]:
    """The columns that those of `scores` fill which are computed of many alleles at once."""
    return _by_column((score, score.compute_all(read)) for score in scores if score.compute_all is not None)


def _by_column(computed: Iterable[tuple[Score, tuple[Value, ...]]]) -> dict[str, Value]:
    return {
        column.name: value
        for score, found in computed
        for column, value in zip(score.columns, found, strict=True)
    }
