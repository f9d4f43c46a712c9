"""Windows read in batches: the same answers whatever the batch, in forward-strand coordinates."""

import logging

import numpy as np
import pytest
import torch

import janusdna
from janusdna import tokens
from janusdna.reader import Reading
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD, REVERSE, Haplotype, Request
from janusdna_cli.reading.window_reader import WindowReader

CPU_WORDS = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried"
CUDA_WORDS = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"


@pytest.fixture(scope="module")
def model(model_dir):
    return janusdna.load(model_dir, device="cpu", dtype="float32")


@pytest.fixture
def requests(bases):
    """Windows of three lengths, in no order, with one to twenty-four targets each."""
    made = []
    for number in range(30):
        sequence = bases((31, 64, 40)[number % 3], seed=number)
        at = np.arange(number % 7, number % 7 + 1 + number % 24)
        made.append((sequence, Request(tokens.encode(sequence), at, BOTH_STRANDS)))
    return made


def test_targets_are_read_as_in_full_readings(model, oracle, requests):
    answers = WindowReader(model).answer([request for _, request in requests])
    assert len(answers) == len(requests)
    for sequence, request in requests:
        reading = answers[request]
        logp, hidden = oracle.logp(sequence), oracle.hidden(sequence).mean(axis=0)
        np.testing.assert_allclose(reading.logp, logp[:, request.targets], atol=2e-5)
        np.testing.assert_allclose(reading.hidden, hidden[request.targets], atol=2e-5)


@pytest.mark.parametrize(("strands", "kept"), [(FORWARD, 0), (REVERSE, 1)])
def test_one_strand(model, oracle, requests, strands, kept):
    sequence, both = requests[3]
    [reading] = WindowReader(model).answer([Request(both.ids, both.targets, strands)]).values()
    np.testing.assert_allclose(reading.logp, oracle.logp(sequence)[[kept]][:, both.targets], atol=2e-5)
    np.testing.assert_allclose(reading.hidden, oracle.hidden(sequence)[kept][both.targets], atol=2e-5)


@pytest.mark.parametrize("batch_bp", [1, 64, 100, 500])
def test_an_answer_depends_on_no_batch_mate(model, requests, batch_bp):
    asked = [request for _, request in requests]
    together = WindowReader(model, batch_bp=1_000_000).answer(asked)
    order = np.random.default_rng(0).permutation(len(asked))
    shuffled = WindowReader(model, batch_bp=batch_bp).answer([asked[i] for i in order])
    check_same(shuffled, together)


def check_same(found, expected):
    assert found.keys() == expected.keys()
    for request, answer in found.items():
        np.testing.assert_allclose(answer.logp, expected[request].logp, rtol=0, atol=1e-5)
        np.testing.assert_allclose(answer.hidden, expected[request].hidden, rtol=0, atol=1e-5)


class Watched:
    """A model that notes its batches and runs out of memory above a limit."""

    def __init__(self, model, limit=None, error=None):
        self._model = model
        self._limit = limit
        self._error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        self.device = model.device
        self.batches = []

    def read(self, ids, targets, **edits) -> Reading:
        self.batches.append(tuple(ids.shape))
        if self._limit is not None and ids.numel() > self._limit:
            raise self._error
        return self._model.read(ids, targets, **edits)


def test_a_batch_holds_windows_of_one_length_and_no_more_than_it_may(model, requests):
    watched, done = Watched(model), []
    reader = WindowReader(watched, batch_bp=200, on_batch=lambda *batch: done.append(batch))
    reader.answer([request for _, request in requests])
    assert {length for _, length in watched.batches} == {31, 64, 40}
    assert all(rows * length <= 200 for rows, length in watched.batches)
    assert sum(rows for rows, _ in watched.batches) == 60 == reader.windows
    assert sum(windows for windows, _ in done) == 60
    assert (
        sum(bases for _, bases in done) == reader.bases == sum(2 * len(sequence) for sequence, _ in requests)
    )
    # Whole batches: 20 rows of each length in batches of 6, 3 and 5.
    assert len(watched.batches) == 4 + 7 + 4


def test_answers_arrive_while_the_next_batch_is_read(model, requests):
    """As from a GPU: each batch's answers are taken one batch later, also where the next does not fit."""
    asked = [request for _, request in requests]
    plenty, arrived = WindowReader(model).answer(asked), []
    watched = Watched(model, limit=5 * 64)
    reader = WindowReader(
        watched, batch_bp=8 * 64, on_batch=lambda *batch: arrived.append(len(watched.batches))
    )
    reader.overlaps = True
    check_same(reader.answer(asked), plenty)
    assert reader.windows == 60
    # The first batch does not fit; half of it does, and waits until the third is made.
    assert arrived[0] == 3


@pytest.mark.parametrize("error", [None, RuntimeError(CPU_WORDS), RuntimeError(CUDA_WORDS), MemoryError()])
def test_a_batch_that_does_not_fit_is_halved(model, requests, caplog, error):
    asked = [request for _, request in requests if len(request.ids) == 64]
    plenty = WindowReader(model).answer(asked)
    watched = Watched(model, limit=10 * 64, error=error)
    reader = WindowReader(watched, batch_bp=16 * 64)
    with caplog.at_level(logging.WARNING, "janusdna_cli"):
        found = reader.answer(asked)
    assert caplog.messages == ["out of memory: going on with batches of 512 bases"]
    assert [rows for rows, _ in watched.batches] == [16, 8, 8, 4]
    assert reader.windows == 20
    check_same(found, plenty)


@pytest.mark.parametrize("error", [None, RuntimeError(CPU_WORDS)])
def test_a_window_that_does_not_fit_alone_is_an_error(model, requests, error):
    watched = Watched(model, limit=63, error=error)
    with pytest.raises(MemoryError, match="a window of 64 bases"):
        WindowReader(watched, batch_bp=256).answer([requests[1][1]])
    assert [rows for rows, _ in watched.batches] == [2, 1]


def test_any_other_error_is_not_taken_for_lack_of_memory(model, requests):
    watched = Watched(model, limit=1, error=RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        WindowReader(watched, batch_bp=256).answer([requests[1][1]])
    assert len(watched.batches) == 1


def test_no_request_has_no_answer(model):
    reader = WindowReader(model)
    assert (reader.answer([]), reader.windows, reader.bases) == ({}, 0, 0)


class Crowd:
    """Windows of one length with no to five haplotypes each, as many as their number."""

    def __init__(self, bases, strands):
        self.sequences = [bases(50, seed=60 + number) for number in range(6)]
        self.requests = [
            Request(
                tokens.encode(sequence),
                np.arange(4 * number, 50),
                strands,
                [Haplotype(24 + i, 25 + 2 * i, tokens.encode("GA"[i % 2 :]), 20, 36) for i in range(number)],
            )
            for number, sequence in enumerate(self.sequences)
        ]

    def check(self, oracle, answers):
        for sequence, request in zip(self.sequences, self.requests, strict=True):
            reading = answers[request]
            strands = [int(strand) for strand in request.strands]
            logp = oracle.logp(sequence)[strands][:, request.targets]
            np.testing.assert_allclose(reading.logp, logp, atol=2e-5)
            assert reading.haplotypes.keys() == set(request.haplotypes)
            for change, found in reading.haplotypes.items():
                alt = bytes(b"ACGT"[i - tokens.A] for i in change.ids).decode()
                edited = sequence[: change.start] + alt + sequence[change.end :]
                read = range(change.first, change.last + len(edited) - len(sequence))
                np.testing.assert_allclose(found.logp, oracle.logp(edited)[strands][:, read], atol=2e-5)
                hidden = oracle.hidden(edited)[strands].mean(axis=0)[list(read)].mean(axis=0)
                np.testing.assert_allclose(found.hidden, hidden, atol=2e-5)


@pytest.mark.parametrize("batch_bp", [1, 150, 10_000])
@pytest.mark.parametrize("strands", [FORWARD, REVERSE, BOTH_STRANDS], ids=["forward", "reverse", "both"])
def test_haplotypes_of_many_windows_on_any_strand(model, oracle, bases, strands, batch_bp):
    crowd = Crowd(bases, strands)
    reader = WindowReader(model, batch_bp=batch_bp)
    crowd.check(oracle, reader.answer(crowd.requests))
    assert reader.windows == 6 * len(strands)


def test_haplotypes_of_a_batch_that_is_halved(model, oracle, bases):
    crowd = Crowd(bases, BOTH_STRANDS)
    watched = Watched(model, limit=3 * 50)
    crowd.check(oracle, WindowReader(watched, batch_bp=10_000).answer(crowd.requests))
    assert [rows for rows, _ in watched.batches] == [12, 6, 3, 3, 3, 3]


def test_haplotypes_are_read_as_whole_sequences_are(model, oracle, bases):
    """Edits of every kind, read around them: own log p by both strands, and the mean hidden state."""
    sequence = bases(60, seed=31)
    sequence = sequence[:20] + "N" + sequence[21:]
    edits = [
        (25, 26, "A"),
        (25, 25, "GATT"),
        (30, 38, ""),
        (0, 0, "CC"),
        (60, 60, "T"),
        (57, 60, "GC"),
        (18, 19, "G"),
    ]
    haplotypes = [
        Haplotype(start, end, tokens.encode(alt), max(0, start - 5), min(60, end + 5))
        for start, end, alt in edits
    ]
    request = Request(tokens.encode(sequence), np.arange(60), BOTH_STRANDS, haplotypes)
    answer = WindowReader(model).answer([request])[request]
    assert len(answer.haplotypes) == len(edits)
    for (start, end, alt), haplotype in zip(edits, haplotypes, strict=True):
        found = answer.haplotypes[haplotype]
        edited = sequence[:start] + alt + sequence[end:]
        read = range(haplotype.first, haplotype.last + len(alt) - (end - start))
        expected = oracle.logp(edited)[:, list(read)]
        np.testing.assert_allclose(found.logp, expected, atol=2e-5)
        own = [expected[:, i, "ACGT".index(edited[at])] for i, at in enumerate(read) if edited[at] != "N"]
        assert found.pll == pytest.approx(np.sum(own, axis=0).mean(), abs=1e-4)
        hidden = oracle.hidden(edited).mean(axis=0)[list(read)].mean(axis=0)
        np.testing.assert_allclose(found.hidden, hidden, atol=2e-5)
