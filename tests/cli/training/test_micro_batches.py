"""The stream cut into steps, micro-batches and processes, against the stream itself."""

import itertools
import random
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from janusdna.objectives import Example, make_example
from janusdna.recipe import OBJECTIVES
from janusdna_cli.errors import InputError
from janusdna_cli.genome.genomes import GenomeFile
from janusdna_cli.genome.splits import Interval
from janusdna_cli.training.corpus import Corpus
from janusdna_cli.training.micro_batches import Batching, steps, validation
from janusdna_cli.training.settings import DrawSettings
from janusdna_cli.training.task import Step

LENGTH = 16


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    bases = "".join(random.Random(2).choices("ACGTacgtN", [8] * 8 + [2], k=700))
    path.write_text(f">a\n{bases}\n")
    how = DrawSettings(length=LENGTH, seed=5, shift=True, soft_mask_weight=0.5)
    return Corpus([GenomeFile(str(path))], [Interval("a", 0, 700)], how)


def rows(examples: Iterable[Example]) -> list[tuple[bytes, ...]]:
    """Each window's inputs, labels and weights."""
    found = []
    for example in examples:
        assert example.inputs.shape == example.labels.shape == example.weights.shape
        assert [part.dtype for part in example[:3]] == [np.uint8, np.uint8, np.float32]
        found += [tuple(part.tobytes() for part in row) for row in zip(*example[:3], strict=True)]
    return found


def contents(step: Step[Example]) -> tuple[object, ...]:
    return step.number, [rows([one]) for one in step.micro_batches], step.places


def place(corpus: Corpus, number: int) -> str:
    window = corpus.draw(number).window
    return f"{window.contig}:{window.start}-{window.end}"


def stream(corpus: Corpus, objective: str, numbers: Iterable[int]) -> list[tuple[bytes, ...]]:
    """Straight from the corpus."""
    examples = []
    for sample in map(corpus.draw, numbers):
        example = make_example(objective, sample.ids, sample.weights, sample.rng)
        examples.append(Example.stacked([example]))
    return rows(examples)


@given(
    windows=st.integers(1, 200),
    batch=st.integers(1, 70),
    ranks=st.integers(1, 9),
    number=st.integers(1, 10_000),
)
def test_the_places_of_a_step_are_shared_out(windows: int, batch: int, ranks: int, number: int) -> None:
    shares = [
        Batching(objective="janus", windows=windows, batch=batch, rank=rank, ranks=ranks).of_step(number)
        for rank in range(ranks)
    ]
    everything = sorted(place for share in shares for places in share for place in places)
    assert everything == list(range((number - 1) * windows, number * windows))
    sizes = [len(places) for share in shares for places in share]
    assert max(sizes) <= batch
    assert sum(size < batch for size in sizes) <= 1
    # No process has more than a micro-batch more to do than another.
    counts = [len(share) for share in shares]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(
    ("windows", "batch", "ranks"),
    [(1, 1, 1), (12, 12, 1), (12, 5, 1), (12, 4, 3), (13, 4, 3), (7, 2, 5), (3, 9, 2)],
)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_ranks_together_read_what_one_reads(
    corpus: Corpus, objective: str, windows: int, batch: int, ranks: int
) -> None:
    found: dict[int, list[tuple[bytes, ...]]] = {1: [], 2: [], 3: []}
    where: dict[int, list[str]] = {1: [], 2: [], 3: []}
    for rank in range(ranks):
        batching = Batching(objective=objective, windows=windows, batch=batch, rank=rank, ranks=ranks)
        made = list(steps(corpus, batching, 1, 3))
        assert [step.number for step in made] == [1, 2, 3]
        for step in made:
            found[step.number] += rows(step.micro_batches)
            where[step.number] += step.places
            assert step.bases == windows * LENGTH
            assert len(step.places) == len(rows(step.micro_batches))
    for number in (1, 2, 3):
        numbers = range((number - 1) * windows, number * windows)
        assert sorted(found[number]) == sorted(stream(corpus, objective, numbers))
        assert sorted(where[number]) == sorted(place(corpus, n) for n in numbers)


def test_windows_are_named_in_the_order_of_the_rows(corpus: Corpus) -> None:
    batching = Batching(objective="janus", windows=11, batch=3, rank=1, ranks=2)
    for step in steps(corpus, batching, 1, 2):
        first = (step.number - 1) * 11
        numbers = [first + at for at in (3, 4, 5, 9, 10)]
        assert step.places == [place(corpus, number) for number in numbers]
        assert rows(step.micro_batches) == stream(corpus, "janus", numbers)
        assert [len(one.inputs) for one in step.micro_batches] == [3, 2]


def test_steps_follow_one_another_over_epochs(corpus: Corpus) -> None:
    batching = Batching(objective="mlm", windows=10, batch=4)
    made = [row for step in steps(corpus, batching, 1, 10) for row in rows(step.micro_batches)]
    assert corpus.places == 43
    assert made == stream(corpus, "mlm", range(100))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_resumed_stream_is_the_uninterrupted_one(corpus: Corpus, objective: str) -> None:
    batching = Batching(objective=objective, windows=9, batch=4, workers=2)
    whole = [contents(step) for step in steps(corpus, batching, 1, 8)]
    assert len({str(step) for step in whole}) == 8
    for done in (1, 4, 7):
        assert [contents(step) for step in steps(corpus, batching, done + 1, 8)] == whole[done:]
    assert list(steps(corpus, batching, 9, 8)) == []


def test_masks_differ_between_windows_and_epochs(corpus: Corpus) -> None:
    batching = Batching(objective="mlm", windows=corpus.places, batch=corpus.places)
    masks = [row[0] for step in steps(corpus, batching, 1, 3) for row in rows(step.micro_batches)]
    assert len({tuple(np.frombuffer(mask, np.uint8) == 3) for mask in masks}) > len(masks) / 2


@pytest.mark.parametrize("workers", [1, 2, 3, 16])
def test_any_number_of_workers_reads_the_same(corpus: Corpus, workers: int) -> None:
    expected = Batching(objective="mlm", windows=20, batch=3)
    batching = Batching(objective="mlm", windows=20, batch=3, workers=workers)
    pairs = zip(steps(corpus, batching, 1, 4), steps(corpus, expected, 1, 4), strict=True)
    assert all(contents(found) == contents(wanted) for found, wanted in pairs)


@pytest.mark.parametrize("most", [1, 2, 7, 43, 1_000])
@pytest.mark.parametrize(("ranks", "batch"), [(1, 1), (1, 5), (2, 3), (3, 4), (5, 100)])
def test_the_shares_of_a_validation_add_up(corpus: Corpus, most: int, ranks: int, batch: int) -> None:
    shares = []
    for rank in range(ranks):
        batching = Batching(objective="mlm", windows=99, batch=batch, rank=rank, ranks=ranks)
        examples = list(validation(corpus, batching, most))
        assert all(len(one.inputs) == batch for one in examples[:-1])
        assert all(0 < len(one.inputs) <= batch for one in examples)
        shares.append(rows(examples))
    samples = list(corpus.held_out(most))
    made = [make_example("mlm", one.ids, one.weights, one.rng) for one in samples]
    assert sorted(itertools.chain(*shares)) == sorted(
        tuple(part.tobytes() for part in one[:3]) for one in made
    )
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_validations_are_the_same_each_time(corpus: Corpus) -> None:
    batching = Batching(objective="mlm", windows=99, batch=4)
    first, second = (rows(validation(corpus, batching, 10)) for _ in range(2))
    assert first == second
    assert len(first) == 20


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("janusdna-corpus")]


def test_a_run_that_stops_leaves_no_thread(corpus: Corpus) -> None:
    made = steps(corpus, Batching(objective="janus", windows=6, batch=2, workers=2), 1, 1_000_000)
    next(made)
    assert threads()
    made.close()
    give_up = time.monotonic() + 20
    while threads():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_what_reading_raises_ends_the_steps(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    path.write_text(">a\n" + "N" * 200 + "\n")
    corpus = Corpus([GenomeFile(str(path))], [Interval("a", 0, 200)], DrawSettings(length=10))
    with pytest.raises(InputError, match=r"genome\.fa: 1,000 windows in a row hold more than 50%"):
        next(steps(corpus, Batching(objective="janus", windows=4, batch=2, workers=2), 1, 3))
