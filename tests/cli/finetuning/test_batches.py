"""How sequences are put into steps: each once an epoch, alike in length, shared among processes and lanes."""

import random

import numpy as np
import pytest

from janusdna import tokens
from janusdna_cli.finetuning.batches import Dataset, Feeding
from janusdna_cli.finetuning.sequences import Chosen, SequenceStore


def made_up(lengths: list[int]) -> Dataset:
    chance, store = random.Random(0), SequenceStore()
    for length in lengths:
        store.add(tokens.encode("".join(chance.choices("ACGT", k=length))))
    count = len(lengths)
    labels = np.arange(count)
    ids = Chosen(store, np.arange(count))
    return Dataset(ids, labels, np.ones(count, np.float32), [str(number) for number in range(count)])


def read(feeding: Feeding, data: Dataset, number: int) -> list[tuple[int, ...]]:
    [step] = feeding.steps(data, number, number)
    return [tuple(batch.labels.tolist()) for batch in step.micro_batches]


@pytest.mark.parametrize("lengths", [[20] * 23, [20 + number % 4 for number in range(23)]])
@pytest.mark.parametrize(("ranks", "lanes"), [(1, 1), (1, 3), (2, 2)])
def test_each_sequence_is_read_once_an_epoch_by_one_process(lengths, ranks, lanes):
    data = made_up(lengths)
    settings = {"size": 8, "most_bases": 100_000, "seed": 4, "turns": True}
    whole = Feeding(**settings)
    assert whole.steps_of(23) == 3
    found = []
    for number in range(1, 4):
        shares = [
            read(Feeding(**settings, rank=rank, ranks=ranks, lanes=lanes), data, number)
            for rank in range(ranks)
        ]
        micro_batches = [batch for share in shares for batch in share]
        together = sorted(place for batch in micro_batches for place in batch)
        assert together == sorted(place for batch in read(whole, data, number) for place in batch)
        assert all(len({lengths[place] for place in batch}) == 1 for batch in micro_batches)
        assert all(len(share) >= lanes for share in shares)
        found += together
    assert sorted(found) == list(range(23))


def test_a_micro_batch_has_at_most_so_many_bases_but_for_one_sequence():
    data = made_up([20] * 6 + [90] * 2)
    feeding = Feeding(size=8, most_bases=50, seed=0, turns=False)
    assert sorted(len(batch) for batch in read(feeding, data, 1)) == [1, 1, 2, 2, 2]
