"""Every item in one part, classes in all of them alike, contigs in one part alone; what leaks is counted."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from janusdna_cli.labelled.item import Item
from janusdna_cli.labelled.splitting import by_contig, folds, leaks, random_split


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=200), st.floats(0, 0.4), st.integers(0, 5))
def test_a_random_split_is_one(strata, share, seed):
    split = random_split(len(strata), share, seed, strata)
    assert sorted(np.concatenate(list(split.parts().values()))) == list(range(len(strata)))
    for name, count in Counter(strata).items():
        held = sum(strata[place] == name for place in split.valid)
        assert held == (max(1, round(share * count)) if count > 2 else 0)


def test_what_is_tested_is_in_no_other_part():
    test = np.array([3, 4])
    split = random_split(50, 0.1, 0, None, test)
    assert split.test.tolist() == [3, 4]
    assert not {3, 4} & {*split.train, *split.valid}


@pytest.mark.parametrize("number", [2, 5, 10])
def test_each_is_tested_once(number):
    strata = ["a"] * 40 + ["b"] * 21
    found = folds(61, number, 1, 0.1, strata)
    assert sorted(np.concatenate([split.test for split in found])) == list(range(61))
    for split in found:
        assert sorted(np.concatenate(list(split.parts().values()))) == list(range(61))


def test_contigs_are_in_one_part():
    items = [Item(f"row {i}", {}, "ACGT", contig=f"chr{i % 7}") for i in range(100)]
    split = by_contig("x", items, 0.2, 3)
    parts = [{items[place].contig for place in places} for places in split.parts().values()]
    assert all(parts)
    assert sum(map(len, parts)) == 7


def test_what_parts_share_is_counted():
    digests = [b"a", b"a", b"a", b"b"]
    parts = {"train": np.array([0]), "valid": np.array([1, 3]), "test": np.array([2])}
    assert leaks(digests, parts) == {("train", "valid"): 1, ("train", "test"): 1, ("valid", "test"): 1}
