import numpy as np
import pytest

from janusdna_cli.regions.pooling import pooling


def take(pool, hidden, is_base, sizes):
    """Feed a region in parts of `sizes`; all rows that come out."""
    made = pooling(pool)
    rows, at = [], 0
    for size in sizes:
        part = slice(at, at + size)
        at += size
        rows += made.rows(hidden[part], is_base[part], 100 + part.start, at == len(hidden))
    return rows


@pytest.fixture
def region():
    rng = np.random.default_rng(0)
    is_base = rng.random(30) < 0.7
    is_base[5:15] = False  # a whole part without a base
    return rng.standard_normal((30, 4)).astype(np.float32) - 3, is_base


@pytest.mark.parametrize("sizes", [[30], [10, 20], [5, 10, 15], [1] * 30])
@pytest.mark.parametrize(("pool", "plain"), [("mean", np.mean), ("max", np.max), ("center", np.mean)])
def test_one_row_a_region_whatever_its_parts(region, sizes, pool, plain):
    hidden, is_base = region
    [row] = take(pool, hidden, is_base, sizes)
    assert (row.pos, row.n_bases) == (None, is_base.sum())
    assert row.embedding.dtype == np.float32
    np.testing.assert_allclose(row.embedding, plain(hidden[is_base].astype(float), axis=0), rtol=1e-6)


@pytest.mark.parametrize("sizes", [[30], [5, 10, 15]])
def test_one_row_a_base(region, sizes):
    hidden, is_base = region
    rows = take("none", hidden, is_base, sizes)
    assert [row.pos for row in rows] == list(range(101, 131))
    assert [row.n_bases for row in rows] == list(is_base)
    for row, vector, real in zip(rows, hidden, is_base, strict=True):
        assert row.embedding.tolist() == vector.tolist() if real else row.embedding is None


@pytest.mark.parametrize("pool", ["mean", "max", "center"])
def test_without_a_base_there_is_no_vector(region, pool):
    [row] = take(pool, region[0], np.zeros(30, bool), [10, 20])
    assert row == (None, 0, None)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_a_region_leaves_nothing_to_the_next(region, pool):
    hidden, is_base = region
    made = pooling(pool)
    made.rows(hidden + 100, is_base, 0, True)
    [again] = made.rows(hidden, is_base, 0, True)
    [alone] = take(pool, hidden, is_base, [30])
    np.testing.assert_array_equal(again.embedding, alone.embedding)
