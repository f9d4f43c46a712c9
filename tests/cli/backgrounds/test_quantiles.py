"""Shares of values by some of their quantiles, against counting all of them."""

from itertools import pairwise

import numpy as np
import pytest

from janusdna_cli.backgrounds.quantiles import kept_ranks, shares_up_to


def kept(values):
    ranks = kept_ranks(len(values))
    ordered = np.sort(values)
    return np.array([float(ordered[rank - 1]) for rank in ranks]), np.array(ranks)


def share_up_to(value, some, ranks):
    return shares_up_to(np.array([value]), some, ranks)[0]


def counted(value, values):
    return (int((values <= value).sum()) + 1) / (len(values) + 1)


@pytest.mark.parametrize("count", [1, 2, 50, 101, 1000, 44_444])
def test_ranks_reach_from_end_to_end_and_are_fine_in_both_tails(count):
    ranks = kept_ranks(count)
    assert (ranks[0], ranks[-1]) == (1, count)
    assert ranks == sorted(set(ranks))
    assert len(ranks) < 150
    if count >= 1000:
        assert ranks[:6] == [1, 2, 3, 4, 5, 6]
        assert ranks[-6:] == [count + 1 - rank for rank in (6, 5, 4, 3, 2, 1)]
        gaps = np.diff(ranks)
        assert gaps.max() <= count / 40
        tail = [rank for rank in ranks if rank <= count / 10]
        assert all(after <= 1.3 * rank + 1 for rank, after in pairwise(tail))


@pytest.mark.parametrize("decimals", [6, 1, 0], ids=["all differ", "some are equal", "most are equal"])
@pytest.mark.parametrize("count", [1, 2, 57, 1000, 5000])
def test_shares_against_counting(count, decimals):
    rng = np.random.default_rng(count)
    values = rng.standard_normal(count).round(decimals)
    some, ranks = kept(values)
    largest_gap = max(np.diff(ranks), default=0)
    for value in [*some, *rng.standard_normal(200), -99.0, 99.0]:
        share, wanted = share_up_to(value, some, ranks), counted(value, values)
        assert 0 < share <= 1
        assert abs(share - wanted) <= max(0, largest_gap - 1) / (count + 1) + 1e-12
        if value in some and decimals == 6:
            assert share == pytest.approx(wanted, abs=1e-12)
    assert share_up_to(-99.0, some, ranks) == 1 / (count + 1)
    assert share_up_to(99.0, some, ranks) == 1


def test_shares_grow_with_the_value():
    values = np.random.default_rng(1).standard_normal(3000)
    shares = [share_up_to(value, *kept(values)) for value in np.linspace(-5, 5, 4000)]
    assert shares == sorted(shares)


def test_other_values_of_the_same_kind_have_uniform_shares():
    """By Kolmogorov and Smirnov: farther apart one time in a million."""
    rng = np.random.default_rng(2)
    many, others = 4000, 3000
    values, ranks = kept(rng.gumbel(size=many))
    shares = np.sort([share_up_to(value, values, ranks) for value in rng.gumbel(size=others)])
    distance = np.abs(shares - (np.arange(others) + 0.5) / others).max()
    bound = np.sqrt(np.log(2 / 1e-6) / 2 * (1 / many + 1 / others)) + max(np.diff(ranks)) / many
    assert distance < bound < 0.1
    shifted = np.sort([share_up_to(value + 0.5, values, ranks) for value in rng.gumbel(size=others)])
    assert np.abs(shifted - (np.arange(others) + 0.5) / others).max() > bound
