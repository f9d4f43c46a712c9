"""What two ways of computing the same function have in common: experts chosen, and scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from routes import Experts, Floats, Ids, Place, Positions, Read, Reader

from janusdna import tokens

GAPS = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
# Bases from the closest choice that differs, at most.
DISTANCES = {"1 to 16": 16, "17 to 128": 128, "further": 1 << 30}
NONE = "none before it"
FAR = 1 << 40
# One in so many of the choices whose gaps are looked at.
_EVERY = 16

Marks = npt.NDArray[np.bool_]


class Changed(NamedTuple):
    """Some windows of a group with their middle bases replaced.

    Attributes:
        windows: Which.
        ids: (B, T + shift).
        before, after: Which bases delta_pll adds up of REF, and of ALT.
    """

    windows: slice
    ids: Ids
    before: Positions
    after: Positions


class Group(NamedTuple):
    """Windows that are read together.

    Attributes:
        ids: (B, T).
        targets: Where their bases are predicted, ascending, (n,).
        changed: The windows again, each with an insertion or a deletion.
    """

    ids: Ids
    targets: Positions
    changed: list[Changed]


class Reading(NamedTuple):
    """What a way says of windows, each on both strands: B forward ones, then B reverse complements.

    Attributes:
        logp: Of A, C, G, T at the targets, the mean of the strands, (B, n, 4).
        read: As it was read.
    """

    logp: Floats
    read: Read


class Counts(NamedTuple):
    """Of one layer of a stream, by a pair of ways.

    Attributes:
        choices: How many there are.
        tied: Of them with equal probabilities in the first of the ways.
        other: Other experts.
        first: Of these with none before them in a lower layer.
        by_logits: The same, were the best logits chosen.
        exact: The same, were the best logits of a product in float64 chosen.
        reordered: The same experts, another one first.
    """

    choices: int = 0
    tied: int = 0
    other: int = 0
    first: int = 0
    by_logits: int = 0
    exact: int = 0
    reordered: int = 0

    def plus(self, more: Counts) -> Counts:
        """Of both."""
        return Counts(*(a + b for a, b in zip(self, more, strict=True)))


class Tally:
    """What a pair of ways has in common and what not, over all groups."""

    def __init__(self) -> None:
        self.counts: defaultdict[Place, Counts] = defaultdict(Counts)
        self.close = np.zeros((2, len(GAPS)), np.int64)
        self.gaps: tuple[list[Floats], list[Floats]] = ([], [])
        self.by_rows: list[Floats] = []
        self.by_product: list[Floats] = []
        self.windows = self.windows_apart = 0
        self.apart: defaultdict[tuple[str, str], list[Floats]] = defaultdict(list)
        self.scores: defaultdict[str, list[Floats]] = defaultdict(list)

    @property
    def total(self) -> Counts:
        """Of all layers."""
        total = Counts()
        for counts in self.counts.values():
            total = total.plus(counts)
        return total

    def add(self, group: Group, one: Sequence[Reading], other: Sequence[Reading]) -> None:
        """A group's windows, then its changed ones, read in both ways."""
        a, b = one[0], other[0]
        self._count(a.read, b.read)
        apart = distances(a.read, b.read)
        closest = apart[:, group.targets]
        own = group.ids[:, group.targets].astype(np.int64) - tokens.A
        is_alt = np.arange(4) != own[..., None]
        llrs = [(reading.logp - of_own(reading.logp, own)[..., None])[is_alt] for reading in (a, b)]
        self._score("llr", *llrs, np.broadcast_to(closest[..., None], is_alt.shape)[is_alt])
        self.windows += len(apart)
        self.windows_apart += int((apart < FAR).any(axis=1).sum())
        for changed, c, d in zip(group.changed, one[1:], other[1:], strict=True):
            some, at = changed.windows, np.isin(group.targets, changed.before)
            scores = [
                pll(alt.logp, changed.ids[:, changed.after])
                - pll(ref.logp[some][:, at], group.ids[some][:, changed.before])
                for ref, alt in ((a, c), (b, d))
            ]
            near = (
                closest[some][:, at].min(axis=1),
                distances(c.read, d.read)[:, changed.after].min(axis=1),
            )
            self._score("delta_pll", *scores, np.minimum(*near))

    def _count(self, a: Read, b: Read) -> None:
        before: dict[bool, Marks] = {}
        for place in sorted(a.routes):
            one, two = a.routes[place], b.routes[place]
            moved = differ(one.chosen, two.chosen)
            free = ~before.get(place.reverse, np.zeros_like(moved))
            first = moved & free
            found = Counts(
                moved.size,
                int(one.tied.sum()),
                int(moved.sum()),
                int(first.sum()),
                int((differ(one.by_logits, two.by_logits) & free).sum()),
                int((differ(one.exact, two.exact) & free).sum()),
                int(((one.chosen != two.chosen).any(axis=-1) & ~moved).sum()),
            )
            self.counts[place] = self.counts[place].plus(found)
            relative = one.gap / np.abs(one.logit)
            self.close += [[int((gap < most).sum()) for most in GAPS] for gap in (one.gap, relative)]
            for gaps, gap in zip(self.gaps, (one.gap, relative), strict=True):
                gaps.append(gap[first])
            self.by_rows.append(np.abs(one.gap - two.gap)[free][::_EVERY])
            self.by_product.append(np.abs(one.rounding)[free][::_EVERY])
            before[place.reverse] = ~free | so_far(moved, place.reverse)

    def _score(self, score: str, one: Floats, other: Floats, closest: Positions) -> None:
        apart, least = np.abs(one - other), 0
        for near, most in DISTANCES.items():
            self.apart[score, near].append(apart[(closest > least) & (closest <= most)])
            least = most
        self.apart[score, NONE].append(apart[closest == FAR])
        self.scores[score].append(one)


def readings(reader: Reader, group: Group) -> Iterator[Reading]:
    """The group's windows, then its changed ones, on both strands."""
    yield both_strands(reader, group.ids, group.targets)
    for changed in group.changed:
        yield both_strands(reader, changed.ids, changed.after)


def both_strands(reader: Reader, ids: Ids, targets: Positions) -> Reading:
    """Windows, (B, T), and their reverse complements, at the same bases of each."""
    count, length = ids.shape
    at = np.repeat([targets, length - 1 - targets], count, axis=0)
    read = reader.read(np.vstack((ids, tokens.reverse_complement(ids))), at)
    return Reading((read.logp[:count] + read.logp[count:, :, ::-1]) / 2, read)


def differ(one: Experts, other: Experts) -> Marks:
    """Whether other experts were chosen, in whatever order, (B, T)."""
    return (np.sort(one, axis=-1) != np.sort(other, axis=-1)).any(axis=-1)


def so_far(marks: Marks, reverse: bool) -> Marks:
    """Whether a stream has come across a mark, this base included, (B, T)."""
    step = -1 if reverse else 1
    return np.logical_or.accumulate(marks[:, ::step], axis=1)[:, ::step]


def distances(a: Read, b: Read) -> Positions:
    """From each base to the closest choice that differs before it in a stream of a strand, (B, T); else FAR.

    A base's prediction reads the forward stream up to the base before it, and the reverse one from the next.
    """
    by_stream = []
    for reverse in (False, True):
        step = -1 if reverse else 1
        apart = [differ(a.routes[p].chosen, b.routes[p].chosen) for p in a.routes if p.reverse == reverse]
        by_stream.append(_since(np.any(apart, axis=0)[:, ::step])[:, ::step])
    closest = np.minimum(*by_stream)
    count = len(closest) // 2
    return np.minimum(closest[:count], closest[count:, ::-1])


def _since(marks: Marks) -> Positions:
    """Bases since the last mark before each, (B, T); FAR where there is none."""
    at = np.arange(marks.shape[1])
    last = np.maximum.accumulate(np.where(marks, at, -FAR), axis=1)
    before = np.pad(last[:, :-1], ((0, 0), (1, 0)), constant_values=-FAR)
    return np.minimum(at - before, FAR)


def of_own(logp: Floats, own: Positions) -> Floats:
    """Log p of the bases that stand there, (B, n), by their codes."""
    return np.take_along_axis(logp, own[..., None], axis=-1)[..., 0]


def pll(logp: Floats, ids: Ids) -> Floats:
    """The sum of log p of some bases of each window, (B,)."""
    return of_own(logp, ids.astype(np.int64) - tokens.A).sum(axis=1)
