"""An answer is asked by position, and says so where a position was not asked for."""

import numpy as np
import pytest

from janusdna import tokens
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.requests import FORWARD, Request


@pytest.fixture
def answer():
    rng = np.random.default_rng(0)
    logp = np.log(rng.dirichlet(np.ones(4), size=(2, 3))).astype(np.float32)
    hidden = rng.normal(size=(3, 5)).astype(np.float32)
    return WindowAnswer(Request(tokens.encode("ACGTNACG"), np.array([2, 4, 7]), FORWARD), logp, hidden, {})


def test_positions_are_found_wherever_they_stand(answer):
    assert answer.rows(np.array([7, 2])).tolist() == [2, 0]
    np.testing.assert_array_equal(answer.logp_at(np.array([7, 2])), answer.logp[:, [2, 0]])
    own = answer.own(np.array([2, 4]))
    np.testing.assert_array_equal(own.logp, answer.logp[:, :2])
    # Of G and N, the second of which does not count.
    assert own.pll == pytest.approx(answer.logp[:, 0, 2].mean(dtype=np.float64), abs=1e-6)
    np.testing.assert_allclose(own.hidden, answer.hidden[:2].mean(axis=0), rtol=1e-6)
    p = np.exp(answer.logp[:, 1].astype(np.float64))
    assert answer.entropy(4) == pytest.approx(-(p * np.log2(p)).sum() / 2, abs=1e-6)
    assert answer.n_frac == 1 / 8


@pytest.mark.parametrize("position", [0, 3, 6, 8, 100, -1])
def test_a_position_that_was_not_asked_for_is_no_neighbours(answer, position):
    for ask in (
        lambda: answer.rows(np.array([2, position])),
        lambda: answer.entropy(position),
        lambda: answer.logp_at(np.array([position])),
        lambda: answer.own(np.array([position, 4])),
    ):
        with pytest.raises(KeyError, match=f"position {position} of the window was not asked for"):
            ask()
