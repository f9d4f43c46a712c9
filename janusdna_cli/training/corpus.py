"""A genome as an endless, repeatable stream of windows to train on.

What is drawn at place n of the stream follows from n, the seed and the intervals alone: a run that goes on
at step 4,000, or on other machines with other numbers of processes and threads, draws what it would have
drawn. Nothing is kept of a genome but its intervals.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna.errors import SequenceError
from janusdna_cli.errors import InputError
from janusdna_cli.genome.genomes import GenomeFile, Genomes
from janusdna_cli.genome.marks import Marks
from janusdna_cli.genome.splits import Interval
from janusdna_cli.genome.windows import Window
from janusdna_cli.training.grid import Grid
from janusdna_cli.training.settings import DrawSettings

__all__ = ["Corpus", "Sample", "shuffled"]

_REPLACEMENTS = 1000
_ROUNDS = 4
_GOLDEN = 0x9E3779B97F4A7C15
# So few that a step and a phase add up exactly.
_PHASES = 1 << 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """One window as it is read.

    Attributes:
        window: Where it lies.
        reverse: Whether it is read from the other strand.
        ids: Token ids of the strand that is read, (length,).
        weights: Of its positions in the loss, (length,); None for 1.
        kinds: Of its positions, by their numbers in the marks, (length,); None without marks.
        rng: For what else is left to chance.
    """

    window: Window
    reverse: bool
    ids: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.float32] | None
    kinds: npt.NDArray[np.uint8] | None
    rng: np.random.Generator


class Corpus:
    """Windows on a grid over intervals, read from FASTA files by any number of threads.

    Args:
        files: The FASTA files.
        intervals: Where windows may lie, and how often their bases are wanted.
        settings: How they are drawn.
        marks: Kinds and weights of the bases.

    Attributes:
        places: Windows in the grid.
        turns: Windows of a pass; as many where all are wanted alike.
        length: Bases of each.
    """

    def __init__(
        self,
        files: Sequence[GenomeFile],
        intervals: Iterable[Interval],
        settings: DrawSettings,
        marks: Marks | None = None,
    ) -> None:
        self._files = tuple(files)
        self._name = ", ".join(file.path for file in files)
        self._settings = settings
        self._marks = marks
        self.length = settings.length
        self._grid = Grid(intervals, self.length)
        self.places, self.turns = self._grid.windows, self._grid.steps
        self._open = threading.local()
        self._noted = False

    def draw(self, number: int) -> Sample:
        """What stands at a place of the stream, 0-based.

        Each pass draws every window of the grid as often as it is wanted, those of weight 1 once.

        Raises:
            InputError: The FASTA is damaged, or windows are hardly ever anything but N.
        """
        settings = self._settings
        rng = np.random.default_rng((settings.seed, number))
        epoch, turn = divmod(number, self.turns)
        phase = _mixed(settings.seed, epoch) % _PHASES / _PHASES
        step = shuffled(turn, self.turns, (settings.seed, epoch))
        for _ in range(_REPLACEMENTS):
            shift = int(rng.integers(settings.length)) if settings.shift else 0
            window = self._grid.met(step, phase, shift)
            letters = self._usable(window)
            if letters is not None:
                return self._sample(window, letters, bool(rng.random() < self._half), rng)
            step = int(rng.integers(self.turns))
        raise InputError(
            f"{self._name}: {_REPLACEMENTS:,} windows in a row {self._left_out}; "
            "choose other --intervals or a larger --max-n"
        )

    def held_out(self, most: int) -> Iterator[Sample]:
        """Windows at equal distances over the grid, at most so many, each from both strands.

        All are wanted alike.

        Raises:
            InputError: The FASTA is damaged, or none of them is anything but N.
        """
        count = min(most, self.places)
        found = False
        # In the middle of each of `count` parts: the ends of contigs are N.
        for place in (self.places * (2 * i + 1) // (2 * count) for i in range(count)):
            window = self._grid.window(place)
            letters = self._usable(window)
            if letters is not None:
                found = True
                for reverse in (False, True):
                    rng = np.random.default_rng((self._settings.seed, place))
                    yield self._sample(window, letters, reverse, rng)
        if count and not found:
            raise InputError(
                f"{self._name}: the {count:,} windows to validate on {self._left_out}; "
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

    def _usable(self, window: Window) -> bytes | None:
        """The letters of a window as written; None where too few of them are bases."""
        letters = self._genomes().fetch_as_written(window.contig, window.start, window.end)
        try:
            other = ~tokens.is_base(tokens.encode(letters))
        except SequenceError as error:
            if not self._noted:
                self._noted = True
                place = f"{window.contig}:{window.start}-{window.end}"
                logger.warning("%s: %s: %s; such windows are left out", self._name, place, error)
            return None
        return letters if other.mean() <= self._settings.max_n else None

    def _sample(self, window: Window, letters: bytes, reverse: bool, rng: np.random.Generator) -> Sample:
        ids = tokens.encode(letters)
        kinds, weights = (None, None) if self._marks is None else self._marks.at(window)
        if self._settings.soft_mask_weight != 1:
            soft = np.frombuffer(letters, np.uint8) >= ord("a")
            counted = np.where(soft, np.float32(self._settings.soft_mask_weight), np.float32(1))
            weights = counted if weights is None else weights * counted
        if reverse:
            ids = tokens.reverse_complement(ids)
            weights = None if weights is None else weights[::-1].copy()
            kinds = None if kinds is None else kinds[::-1].copy()
        return Sample(window, reverse, ids, weights, kinds, rng)

    def _genomes(self) -> Genomes:
        """This thread's own."""
        if not hasattr(self._open, "genomes"):
            self._open.genomes = Genomes(self._files)
        return self._open.genomes  # type: ignore[no-any-return]


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
