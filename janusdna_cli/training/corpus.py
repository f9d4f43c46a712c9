"""A genome as an endless, repeatable stream of windows to train on.

What is drawn at place n of the stream follows from n, the seed and the intervals alone: a run that goes on
at step 4,000, or on other machines with other numbers of processes and threads, draws what it would have
drawn. Nothing is kept of a genome but its intervals.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna.errors import SequenceError
from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window
from janusdna_cli.training.settings import CorpusSettings

__all__ = ["Corpus", "Sample", "shuffled"]

_REPLACEMENTS = 1000
_ROUNDS = 4
_GOLDEN = 0x9E3779B97F4A7C15

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """One window as it is read.

    Attributes:
        window: Where it lies.
        reverse: Whether it is read from the other strand.
        ids: Token ids of the strand that is read, (length,).
        weights: Of its positions in the loss, (length,); None for 1.
        rng: For what else is left to chance.
    """

    window: Window
    reverse: bool
    ids: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.float32] | None
    rng: np.random.Generator


class Corpus:
    """Windows on a grid over intervals, read from a FASTA by any number of threads.

    Args:
        fasta: Path of the FASTA.
        intervals: Where windows may lie; neighbours that touch are one.
        settings: How they are drawn.

    Attributes:
        places: Windows in the grid.
        length: Bases of each.
    """

    def __init__(self, fasta: str, intervals: Iterable[Window], settings: CorpusSettings) -> None:
        self._fasta = fasta
        self._settings = settings
        self.length = settings.length
        self._intervals = [one for one in _joined(intervals) if len(one) >= settings.length]
        counts = [len(interval) // settings.length for interval in self._intervals]
        self._ends = list(accumulate(counts))
        self.places = sum(counts)
        self._files = threading.local()
        self._noted = False

    def draw(self, number: int) -> Sample:
        """What stands at a place of the stream, 0-based; each pass draws every window of the grid once.

        Raises:
            InputError: The FASTA is damaged, or windows are hardly ever anything but N.
        """
        settings = self._settings
        rng = np.random.default_rng((settings.seed, number))
        epoch, turn = divmod(number, self.places)
        place = shuffled(turn, self.places, (settings.seed, epoch))
        for _ in range(_REPLACEMENTS):
            shift = int(rng.integers(settings.length)) if settings.shift else 0
            window = self._window(place, shift)
            letters = self._usable(window)
            if letters is not None:
                return self._sample(window, letters, bool(rng.random() < self._half), rng)
            place = int(rng.integers(self.places))
        raise InputError(
            f"{self._fasta}: {_REPLACEMENTS:,} windows in a row {self._left_out}; "
            "choose other --intervals or a larger --max-n"
        )

    def held_out(self, most: int) -> Iterator[Sample]:
        """Windows at equal distances over the grid, at most so many, each from both strands.

        Raises:
            InputError: The FASTA is damaged, or none of them is anything but N.
        """
        count = min(most, self.places)
        found = False
        # In the middle of each of `count` parts: the ends of contigs are N.
        for place in (self.places * (2 * i + 1) // (2 * count) for i in range(count)):
            window = self._window(place, 0)
            letters = self._usable(window)
            if letters is not None:
                found = True
                for reverse in (False, True):
                    rng = np.random.default_rng((self._settings.seed, place))
                    yield self._sample(window, letters, reverse, rng)
        if count and not found:
            raise InputError(
                f"{self._fasta}: the {count:,} windows to validate on {self._left_out}; "
                "hold out others with --intervals or --valid-contigs, or pass --valid-every 0"
            )

    @property
    def _left_out(self) -> str:
        return (
            f"hold more than {self._settings.max_n:.0%} other than A, C, G and T, or letters that are not DNA"
        )

    @property
    def _half(self) -> float:
        return 0.5 if self._settings.reverse_complement else 0.0

    def _window(self, place: int, shift: int) -> Window:
        which = bisect_right(self._ends, place)
        interval = self._intervals[which]
        before = self._ends[which - 1] if which else 0
        length = self._settings.length
        start = min(interval.start + (place - before) * length + shift, interval.end - length)
        return Window(interval.contig, start, start + length)

    def _usable(self, window: Window) -> bytes | None:
        """The letters of a window as written; None where too few of them are bases."""
        letters = self._reference().fetch_as_written(window.contig, window.start, window.end)
        try:
            other = ~tokens.is_base(tokens.encode(letters))
        except SequenceError as error:
            if not self._noted:
                self._noted = True
                place = f"{window.contig}:{window.start}-{window.end}"
                logger.warning("%s: %s: %s; such windows are left out", self._fasta, place, error)
            return None
        return letters if other.mean() <= self._settings.max_n else None

    def _sample(self, window: Window, letters: bytes, reverse: bool, rng: np.random.Generator) -> Sample:
        ids = tokens.encode(letters)
        weights = None
        if self._settings.soft_mask_weight != 1:
            soft = np.frombuffer(letters, np.uint8) >= ord("a")
            weights = np.where(soft, np.float32(self._settings.soft_mask_weight), np.float32(1))
        if reverse:
            ids = tokens.reverse_complement(ids)
            weights = None if weights is None else weights[::-1].copy()
        return Sample(window, reverse, ids, weights, rng)

    def _reference(self) -> Reference:
        """This thread's own."""
        if not hasattr(self._files, "reference"):
            self._files.reference = Reference.open(self._fasta)
        return self._files.reference  # type: ignore[no-any-return]


def _joined(intervals: Iterable[Window]) -> Iterator[Window]:
    held: Window | None = None
    for interval in intervals:
        if held is not None and (interval.contig, interval.start) == (held.contig, held.end):
            held = Window(held.contig, held.start, interval.end)
            continue
        if held is not None:
            yield held
        held = interval
    if held is not None:
        yield held


def shuffled(turn: int, count: int, key: Sequence[int]) -> int:
    """Where 0 <= turn < count stands in an order of range(count) that `key` decides, with nothing kept.

    Source: cycle walking over a Feistel network (Black and Rogaway, CT-RSA 2002).
    """
    half = max(1, (count - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    while True:
        left, right = turn >> half, turn & mask
        for round_ in range(_ROUNDS):
            left, right = right, left ^ (_mixed(right, round_, *key) & mask)
        turn = left << half | right
        if turn < count:
            return turn


def _mixed(*values: int) -> int:
    """64 bits that depend on all bits of all values. Source: splitmix64 (Steele et al., OOPSLA 2014)."""
    state = 0
    for value in values:
        state = (state + value + _GOLDEN) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state
