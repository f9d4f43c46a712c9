"""Words counted one by one; linear models that find what is linear and nothing where there is nothing."""

import random
from collections import Counter
from itertools import product

import numpy as np
import pytest

from janusdna import tokens
from janusdna_cli.finetuning.data import LabelledData
from janusdna_cli.finetuning.kmers import LONGEST_WORD, word_features
from janusdna_cli.finetuning.linear import fit_linear
from janusdna_cli.finetuning.sequences import SequenceStore, letters, strandless_digest
from janusdna_cli.labelled.encoding import Encoding
from janusdna_cli.labelled.strands import reverse_complement


def stored(sequences) -> LabelledData:
    store = SequenceStore()
    for sequence in sequences:
        store.add(tokens.encode(sequence))
    return LabelledData([], store, None, [], Encoding("binary", ("0", "1")), 0, Counter())


def test_a_store_gives_back_what_it_took():
    chance = random.Random(1)
    sequences = ["".join(chance.choices("ACGTN", k=chance.randrange(1, 50))) for _ in range(20)]
    data = stored(sequences)
    assert [letters(data.sequences[place]) for place in (3, 0, 19)] == [
        sequences[place] for place in (3, 0, 19)
    ]
    data.sequences.add(tokens.encode("ACGT"))
    assert letters(data.sequences[20]) == "ACGT"
    assert data.sequences.length(20) == 4


def test_a_digest_knows_no_strand():
    one, other = tokens.encode("ACGGN"), tokens.encode("NCCGT")
    assert strandless_digest(one) == strandless_digest(other) != strandless_digest(tokens.encode("ACGGA"))
    assert strandless_digest(one, one) == strandless_digest(other, other) != strandless_digest(one, other)


@pytest.mark.parametrize("both", [False, True])
def test_words_are_counted(both):
    chance = random.Random(2)
    sequences = ["".join(chance.choices("ACGTN", weights=[5, 5, 5, 5, 1], k=40)) for _ in range(8)]
    words = ["".join(word) for size in range(1, LONGEST_WORD + 1) for word in product("ACGT", repeat=size)]
    place = {word: at for at, word in enumerate(words)}
    expected = np.zeros((len(sequences), len(words)))
    for row, sequence in enumerate(sequences):
        for size in range(1, LONGEST_WORD + 1):
            for at in range(len(sequence) - size + 1):
                word = sequence[at : at + size]
                if "N" not in word:
                    column = place[word]
                    expected[row, min(column, place[reverse_complement(word)]) if both else column] += 1
    expected = expected[:, expected.any(axis=0)]
    found = word_features(stored(sequences), both_strands=both).toarray()
    found = found[:, found.any(axis=0)]
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_what_is_linear_is_found(kind):
    chance = np.random.default_rng(0)
    features = chance.normal(size=(300, 5)) * [1, 10, 0.1, 1, 1]
    signal = features @ [[1.0, 0.2], [0.1, 0.0], [10, 3], [0, 1], [0, -1]]
    labels = {
        "binary": (signal[:, 0] > 0).astype(int),
        "multiclass": np.digitize(signal[:, 0], [-1, 1]),
        "multilabel": (signal > 0).astype(np.float32),
        "regression": signal,
    }[kind]
    outputs = {"binary": 2, "multiclass": 3, "multilabel": 2, "regression": 2}[kind]
    fitted = fit_linear(kind, features[:200], labels[:200], outputs=outputs, seed=0)
    values = fitted.values(features[200:])
    assert values.shape == (100, outputs)
    if kind == "regression":
        np.testing.assert_allclose(values, signal[200:], atol=0.1)
    elif kind == "multilabel":
        assert ((values > 0.5) == (labels[200:] > 0.5)).mean() > 0.95
    else:
        np.testing.assert_allclose(values.sum(axis=1), 1)
        assert (values.argmax(axis=1) == labels[200:]).mean() > 0.9


def test_where_there_is_nothing_the_strongest_is_chosen():
    """Noise as labels: the model falls back to the share of the classes."""
    chance = np.random.default_rng(1)
    features, labels = chance.normal(size=(200, 20)), chance.integers(0, 2, 200)
    fitted = fit_linear("binary", features, labels, outputs=2, seed=0)
    assert fitted.strengths[0] <= 1e-2
    assert np.abs(fitted.values(features)[:, 1] - labels.mean()).max() < 0.25


def test_a_class_of_one_sequence_needs_no_folds():
    features, labels = np.array([[0.0], [1.0], [2.0]]), np.array([0, 0, 1])
    assert fit_linear("binary", features, labels, outputs=2, seed=0).values(features).shape == (3, 2)


def test_a_label_that_is_always_so_is_told_so():
    features, labels = np.arange(10.0)[:, None], np.stack([np.ones(10), np.arange(10) % 2], axis=1)
    values = fit_linear("multilabel", features, labels, outputs=2, seed=0).values(features)
    np.testing.assert_array_equal(values[:, 0], 1)
