"""The scores of one allele, from readings of its REF window and its ALT haplotype.

Every value is the mean of the strands' values; embeddings are averaged over the strands before their
distance is taken. docs/scoring.md says what each score means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna_cli.genome.alleles import Allele
from janusdna_cli.reading.windowing import HaplotypeReading, Request, WindowReading, own_logp

__all__ = [
    "SCORES",
    "AlleleScores",
    "PositionReading",
    "around",
    "pll",
    "score_allele",
    "wanted_scores",
]

SCORES = ("llr", "delta_pll", "embedding")


@dataclass
class AlleleScores:
    """The scored columns of a row; None where not computed."""

    llr: float | None = None
    delta_pll: float | None = None
    emb_l2: float | None = None
    emb_cosine: float | None = None
    ref_logp: float | None = None
    alt_logp: float | None = None
    entropy: float | None = None
    n_frac: float | None = None


@dataclass(frozen=True)
class PositionReading:
    """A request with its answer, asked by position within the window."""

    request: Request
    reading: WindowReading

    @cached_property
    def n_frac(self) -> float:
        """Share of the window's bases that are not A, C, G or T."""
        ids = self.request.ids
        return 1 - int(np.count_nonzero(tokens.is_base(ids))) / len(ids)

    def entropy(self, position: int) -> float:
        """Over A, C, G, T, in bits."""
        logp = self.reading.logp[:, np.searchsorted(self.request.targets, position)].tolist()
        nats = -math.fsum(math.exp(each) * each for strand in logp for each in strand)
        return nats / (len(logp) * math.log(2))

    def logp_of(self, positions: npt.NDArray[np.int64], bases: npt.NDArray[np.int64]) -> float:
        """Sum of log p of `bases` (0 to 3 for A, C, G, T) at `positions`."""
        logp = self.reading.logp[:, self._rows(positions), bases]
        return float(logp.sum(dtype=np.float64)) / len(logp)

    def around(self, positions: npt.NDArray[np.int64]) -> HaplotypeReading:
        """The window's own bases at `positions`, as a haplotype is read."""
        rows = self._rows(positions)
        logp = own_logp(self.reading.logp[:, rows], self.request.ids[positions])
        return HaplotypeReading(logp, self.reading.hidden[rows].mean(0, dtype=np.float64))

    def _rows(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.searchsorted(self.request.targets, positions)


def wanted_scores(allele: Allele, asked: tuple[str, ...] | None) -> frozenset[str]:
    """Which of `SCORES` to compute for an allele; by default llr where it is defined, else delta_pll."""
    if asked is None:
        return frozenset({"llr" if allele.is_substitution else "delta_pll"})
    return frozenset(asked) if allele.is_substitution else frozenset(asked) - {"llr"}


def around(at: int, size: int, span: int, length: int) -> npt.NDArray[np.int64]:
    """Positions from `span` before an allele of `size` bases at `at` to `span` after, cut at the window."""
    return np.arange(max(0, at - span), min(length, at + size + span))


def pll(reading: HaplotypeReading) -> float:
    """Pseudo-log-likelihood of the positions read; those that are not A, C, G, T do not count."""
    return float(np.nansum(reading.logp, axis=1, dtype=np.float64).mean())


def score_allele(
    allele: Allele,
    at: int,
    span: int,
    wanted: frozenset[str],
    ref: PositionReading,
    alt: HaplotypeReading | None,
) -> AlleleScores:
    """The scores of a normalised allele.

    Args:
        allele: What changes.
        at: Its first base within the window, 0-based.
        span: Bases on each side that delta_pll and the distances read.
        wanted: Which of `SCORES`.
        ref: The REF window, read at least at `at` and wherever the scores look.
        alt: The ALT haplotype around the allele; None where no score needs it, or nothing changes.
    """
    scores = AlleleScores(n_frac=ref.n_frac)
    if at < len(ref.request.ids):
        scores.entropy = ref.entropy(at)
    if allele.is_substitution:
        offsets = np.array(allele.differing, dtype=np.int64)
        scores.ref_logp = ref.logp_of(at + offsets, _bases(allele.ref)[offsets])
        scores.alt_logp = ref.logp_of(at + offsets, _bases(allele.alt)[offsets])
        if "llr" in wanted:
            scores.llr = scores.alt_logp - scores.ref_logp
    if wanted <= {"llr"}:
        return scores
    before = ref.around(around(at, len(allele.ref), span, len(ref.request.ids)))
    after = before if alt is None else alt
    if "delta_pll" in wanted:
        scores.delta_pll = pll(after) - pll(before)
    if "embedding" in wanted:
        scores.emb_l2, scores.emb_cosine = _distances(before.hidden, after.hidden)
    return scores


def _bases(sequence: bytes) -> npt.NDArray[np.int64]:
    return tokens.encode(sequence).astype(np.int64) - tokens.A


def _distances(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> tuple[float, float]:
    cosine = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    return float(np.linalg.norm(a - b)), 1 - cosine
