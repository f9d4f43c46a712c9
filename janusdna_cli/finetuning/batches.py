"""Sequences as micro-batches of equal length: of each step of a training, and of a reading of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna.finetuning import LabelledBatch
from janusdna_cli.finetuning.sequences import Chosen, Ids
from janusdna_cli.training.task import Step

__all__ = ["Dataset", "Feeding", "encoded", "in_order"]


@dataclass(frozen=True)
class Dataset:
    """Sequences with their labels.

    Attributes:
        ids: Token ids of each, (T,).
        labels: As `LabelledBatch` has them, one row each.
        weights: How much each counts, (n,) float32.
        places: Where each stands in its input.
        alternatives: Token ids of the alternative sequences; None where the task is not one of pairs.
    """

    ids: Chosen
    labels: npt.NDArray[np.generic]
    weights: npt.NDArray[np.float32]
    places: Sequence[str]
    alternatives: Chosen | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def lengths(self, place: int) -> tuple[int, int]:
        """Of a sequence and its alternative; 0 where there is none."""
        return self.ids.length(place), 0 if self.alternatives is None else self.alternatives.length(place)

    def batch(self, places: Sequence[int], turned: Sequence[bool] | None = None) -> LabelledBatch:
        """Sequences of equal lengths, each read from the strand that is asked for."""
        turns = turned if turned is not None else [False] * len(places)

        def stacked(sequences: Chosen) -> Ids:
            chosen = [sequences[place] for place in places]
            both = zip(chosen, turns, strict=True)
            return np.stack([tokens.reverse_complement(one) if turn else one for one, turn in both])

        return LabelledBatch(
            stacked(self.ids),
            self.labels[list(places)],
            self.weights[list(places)],
            None if self.alternatives is None else stacked(self.alternatives),
        )


@dataclass(frozen=True, kw_only=True)
class Feeding:
    """How the sequences of a training are put into steps.

    Attributes:
        size: Sequences of a step, in all processes.
        most_bases: Bases of a micro-batch, at least one sequence.
        seed: Of the order and the strands.
        turns: Whether each sequence is read from either strand, by chance.
        rank: This process.
        ranks: All processes.
        lanes: Micro-batches that a process computes side by side; a step has as many for each, if it can.
    """

    size: int
    most_bases: int
    seed: int
    turns: bool
    rank: int = 0
    ranks: int = 1
    lanes: int = 1

    def steps_of(self, count: int) -> int:
        """Steps of an epoch of `count` sequences; the last one may have fewer."""
        return -(-count // self.size)

    def steps(self, data: Dataset, first: int, last: int) -> Iterator[Step[LabelledBatch]]:
        """This process's share of the steps from `first` to `last`, 1 and up; the same whenever asked."""
        each = self.steps_of(len(data))
        for number in range(first, last + 1):
            epoch, at = divmod(number - 1, each)
            chance = np.random.default_rng((self.seed, epoch))
            order = chance.permutation(len(data))
            turned = chance.random(len(data)) < 0.5 if self.turns else np.zeros(len(data), bool)
            chosen = order[at * self.size : (at + 1) * self.size]
            bases = sum(sum(data.lengths(int(place))) for place in chosen)
            at_once = min(self.most_bases, -(-bases // (self.ranks * self.lanes)))
            groups = list(in_order(data, [int(place) for place in chosen], at_once))
            own = groups[self.rank :: self.ranks]
            yield Step(
                number,
                [data.batch(places, [bool(turned[place]) for place in places]) for places in own],
                [data.places[place] for places in own for place in places],
                bases,
            )


def in_order(data: Dataset, places: Sequence[int], most_bases: int) -> Iterator[list[int]]:
    """Places in groups of equal lengths, of at most so many bases but for a single one."""
    for lengths in sorted({data.lengths(place) for place in places}):
        same = [place for place in places if data.lengths(place) == lengths]
        at_once = max(1, most_bases // max(1, sum(lengths)))
        yield from (same[at : at + at_once] for at in range(0, len(same), at_once))


def encoded(sequence: str, pad_to: int | None) -> Ids:
    """Token ids of a sequence as a network reads it.

    Args:
        sequence: Nucleotides.
        pad_to: Length to which it is padded on the left and cut; None for as it is.

    Raises:
        SequenceError: At a letter that is no nucleotide.
    """
    ids = tokens.encode(sequence)
    if pad_to is None:
        return ids
    padding = np.full(max(0, pad_to - len(ids)), tokens.PAD, np.uint8)
    return np.concatenate([padding, ids[:pad_to]])
