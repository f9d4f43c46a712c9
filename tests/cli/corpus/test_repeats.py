"""Repeats and k-mers against a search letter by letter."""

import random

import numpy as np
import pytest

from janusdna_cli.corpus.codes import OTHER, encode, keys_of, opposite
from janusdna_cli.corpus.repeats import covered, frequent, tandem

BASES = "ACGT"


def some_bases(seed, length, letters=BASES):
    return "".join(random.Random(seed).choices(letters, k=length))


def complemented(sequence):
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def test_codes_of_letters():
    assert encode("ACGTNacgtnUu-R").tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 3, 3, 4, 4]
    assert encode(b"acgt").tolist() == [0, 1, 2, 3]
    assert opposite(encode("AACGN")).tolist() == encode("NCGTT").tolist()
    assert OTHER == 4


def test_keys_of_words():
    assert keys_of(encode("ACGTN"), 2).tolist() == [1, 6, 11, -1]
    assert keys_of(encode("AC"), 3).tolist() == []
    assert keys_of(encode("T" * 14), 14).tolist() == [4**14 - 1]


def test_a_word_that_is_its_own_other_strand_counts_twice():
    assert frequent([encode("AAACGT")], 4, 2).tolist() == keys_of(encode("ACGT"), 4).tolist()
    assert frequent([], 16, 1).tolist() == []
    assert frequent([encode("NNNN"), encode("")], 4, 1).tolist() == []


@pytest.mark.parametrize("k", [3, 17])
def test_words_of_any_length(k):
    sequence = some_bases(20, 400)
    both = [strand[at : at + k] for strand in (sequence, complemented(sequence)) for at in range(400 - k + 1)]
    wanted = sorted({int(keys_of(encode(word), k)[0]) for word in both if both.count(word) >= 2})
    assert frequent([encode(sequence)], k, 2).tolist() == wanted


def test_frequent_words_of_both_strands():
    word = some_bases(1, 16)
    first = some_bases(2, 300) + word + some_bases(3, 50) + word
    second = some_bases(4, 80) + complemented(word) + some_bases(5, 7) + "N" + some_bases(6, 60)
    both = [encode(sequence) for sequence in (first, second)]
    counts = {}
    for sequence in (first, complemented(first), second, complemented(second)):
        for at in range(len(sequence) - 15):
            counts[sequence[at : at + 16]] = counts.get(sequence[at : at + 16], 0) + 1
    for times in (1, 3):
        wanted = {found for found, count in counts.items() if count >= times and "N" not in found}
        keys = frequent(both, 16, times)
        assert len(keys) == len(wanted)
        inside = set()
        for at in range(len(first) - 15):
            if first[at : at + 16] in wanted:
                inside |= set(range(at, at + 16))
        assert set(np.flatnonzero(covered(both[0], 16, keys))) == inside
    assert {word, complemented(word)} <= wanted


def test_runs_that_repeat_themselves():
    plain = some_bases(7, 100)
    sequence = plain + "CA" * 8 + "G" + plain + "T" * 13 + plain + "ACGTTG" * 3 + "NNNNNNNNNNNNNNNNNNNN"
    found = tandem(encode(sequence))
    inside = set()
    for period in range(1, 7):
        for start in range(len(sequence)):
            end = start + period
            while end < len(sequence) and sequence[end] == sequence[end - period] != "N":
                end += 1
            if end - start - period >= 12:
                inside |= set(range(start, end))
    assert inside
    assert set(np.flatnonzero(found)) == inside
