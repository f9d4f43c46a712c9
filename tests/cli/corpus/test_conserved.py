"""What is like exons, against a search pair by pair."""

import itertools
import random

import numpy as np
import pytest

from janusdna_cli.corpus.codes import encode
from janusdna_cli.corpus.conserved import ExonIndex

BASES = "ACGT"


def some_bases(seed, length):
    return "".join(random.Random(seed).choices(BASES, k=length))


def complemented(sequence):
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def changed(sequence, places):
    """With another base at some places."""
    other = dict(zip(BASES, "CATG", strict=True))
    return "".join(other[base] if at in places else base for at, base in enumerate(sequence))


def stretches(mask):
    edges = np.flatnonzero(np.diff(np.pad(mask, 1).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


EXON = some_bases(1, 300)


@pytest.fixture(scope="module")
def index():
    return ExonIndex([(1000, encode(some_bases(2, 500))), (5000, encode(EXON))])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("piece", "start", "end"),
    [
        (EXON[100:120], 0, 20),  # 7 words in a row
        (EXON[100:119], 0, 0),  # too short
        (changed(EXON[:60], {20, 40}), 0, 60),
        (EXON[:14] + some_bases(5, 46) + EXON[60:74], 0, 74),  # words 60 bases apart
        (EXON[:14] + some_bases(5, 47) + EXON[61:75], 0, 0),
        (EXON[:14] + some_bases(6, 10) + EXON[27:41], 0, 38),  # 3 bases are missing
        (EXON[:14] + some_bases(6, 10) + EXON[28:42], 0, 0),
        (changed(EXON[:200], set(range(13, 200, 14))), 0, 0),  # no word of 14 is left
    ],
)
def test_words_that_belong_together(index, piece, start, end, reverse):
    before, after = some_bases(3, 400), some_bases(4, 333)
    sequence = before + piece + after
    if reverse:
        sequence = complemented(sequence)
    found = stretches(index.like_exons(encode(sequence)))
    if start == end:
        assert found == []
        return
    ((first, last),) = found
    if reverse:
        first, last = len(sequence) - last, len(sequence) - first
    # A base beside it is like the exon's by chance.
    assert -3 <= first - 400 - start <= 0 <= last - 400 - end <= 3


def test_a_frequent_word_tells_nothing():
    word = some_bases(7, 40)
    for times, is_there in ((4, True), (5, False)):
        index = ExonIndex([(1000 * n, encode(some_bases(n, 50) + word)) for n in range(times)])
        assert index.like_exons(encode(word)).any() == is_there


@pytest.mark.parametrize("exons", [[], [(0, encode("ACGT"))], [(0, encode("N" * 99))], [(0, encode(""))]])
def test_no_words(exons):
    index = ExonIndex(exons)
    assert len(index) == 0
    assert not index.like_exons(encode(EXON)).any()


@pytest.mark.parametrize("sequence", ["", "ACG", "N" * 50, "T" * 50])
def test_awkward_sequences(index, sequence):
    assert not index.like_exons(encode(sequence)).any()
    assert len(index.like_exons(encode(sequence))) == len(sequence)


def test_the_highest_word_is_found():
    exon = "T" * 14 + some_bases(9, 30)
    assert ExonIndex([(0, encode(exon))]).like_exons(encode(exon)).all()


def test_random_sequence_is_not_like_exons():
    index = ExonIndex([(0, encode(some_bases(10, 400_000)))])
    assert index.like_exons(encode(some_bases(11, 400_000))).mean() < 1e-3


def test_chains_are_those_of_a_search_pair_by_pair():
    exon = some_bases(12, 600)
    chance = random.Random(13)
    sequence = "".join(chance.choice(BASES) if chance.random() < 0.06 else base for base in exon)
    sequence = sequence[:200] + sequence[202:420] + "AC" + sequence[420:]
    places = {}
    for at in range(len(exon) - 13):
        places.setdefault(exon[at : at + 14], []).append(at)
    hits = [
        (at, place) for at in range(len(sequence) - 13) for place in places.get(sequence[at : at + 14], [])
    ]
    wanted = np.zeros(len(sequence), bool)
    for (one, place), (other, other_place) in itertools.combinations(sorted(hits), 2):
        if other - one <= 60 and abs((other_place - other) - (place - one)) <= 3:
            wanted[one : other + 14] = True
    for start, end in stretches(wanted):
        wanted[start:end] = end - start >= 20
    found = ExonIndex([(0, encode(exon))])._like_exons(encode(sequence))
    assert wanted.sum() > 300
    assert (found == wanted).all()
