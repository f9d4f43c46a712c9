"""Windows of a corpus as the micro-batches of each step, for one process of a run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from janusdna.objectives import Example, make_example
from janusdna.recipe import MASK_SHARE, Objective
from janusdna_cli.genome.windows import Window
from janusdna_cli.reading.background import ahead
from janusdna_cli.training.corpus import Corpus, Sample
from janusdna_cli.training.task import Step

__all__ = ["Batching", "steps", "validation"]


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How the windows of a step are shared out.

    Attributes:
        objective: What for.
        windows: Of a step, in all processes.
        batch: Of a micro-batch.
        rank: This process.
        ranks: All processes.
        workers: Threads that read.
        mask_share: Of the bases, those that mlm predicts.
    """

    objective: Objective
    windows: int
    batch: int
    rank: int = 0
    ranks: int = 1
    workers: int = 1
    mask_share: float = MASK_SHARE

    def of_step(self, number: int) -> list[range]:
        """Places in the stream of this process's micro-batches in a step, 1 and up."""
        first, last = (number - 1) * self.windows, number * self.windows
        starts = range(first, last, self.batch)[self.rank :: self.ranks]
        return [range(start, min(start + self.batch, last)) for start in starts]


def steps(corpus: Corpus, batching: Batching, first: int, last: int) -> Iterator[Step[Example]]:
    """The steps from `first` to `last`, the next one read while the caller is busy with this one."""

    def read(places: range) -> list[Sample]:
        return [corpus.draw(place) for place in places]

    def made() -> Iterator[Step[Example]]:
        with ThreadPoolExecutor(batching.workers, thread_name_prefix="janusdna-corpus") as pool:
            for number in range(first, last + 1):
                read_batches = list(pool.map(read, batching.of_step(number)))
                examples = [_stacked(samples, batching) for samples in read_batches]
                places = [_place(sample.window) for samples in read_batches for sample in samples]
                yield Step(number, examples, places, batching.windows * corpus.length)

    return ahead(made())


def validation(corpus: Corpus, batching: Batching, most: int) -> Iterator[Example]:
    """This process's share of the held-out windows, at most `most` windows in all, from both strands."""
    own = islice(corpus.held_out(most), batching.rank, None, batching.ranks)
    while samples := list(islice(own, batching.batch)):
        yield _stacked(samples, batching)


def _stacked(samples: list[Sample], batching: Batching) -> Example:
    share = batching.mask_share
    return Example.stacked(
        [
            make_example(batching.objective, one.ids, one.weights, one.rng, kinds=one.kinds, mask_share=share)
            for one in samples
        ]
    )


def _place(window: Window) -> str:
    return f"{window.contig}:{window.start}-{window.end}"
