"""Rank correlations with length, of tables in which they are known."""

import json

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def scores(tmp_path):
    """Scores that length decides, and percentiles that it does not: 200 alleles of each kind."""
    rng = np.random.default_rng(0)
    lengths = np.tile(np.arange(1, 21), 10)
    ref = ["A"] * 200 + ["A" * (1 + n) for n in lengths] + ["A"] * 200
    alt = ["C"] * 200 + ["A"] * 200 + ["A" * (1 + n) for n in lengths]
    delta = np.r_[np.full(200, np.nan), 1.4 * lengths, -1.4 * lengths]
    table = pd.DataFrame({"ref": ref, "alt": alt, "status": "ok", "delta_pll": delta})
    table["llr"] = np.r_[rng.standard_normal(200), np.full(400, np.nan)]
    table["pct"] = rng.random(600)
    table.loc[len(table)] = ["A", "<DEL>", "symbolic", np.nan, np.nan, np.nan]
    table.to_parquet(tmp_path / "scores.parquet")
    return tmp_path / "scores.parquet"


def test_what_length_decides_is_told(run, scores, tmp_path):
    printed = run("percentiles", scores, "--json", tmp_path / "out.json")
    rows = {row["alleles"]: row for row in json.loads((tmp_path / "out.json").read_text())["rows"]}
    assert [rows[name]["count"] for name in ("insertion", "deletion", "indel")] == [200, 200, 400]
    assert rows["insertion"]["score and length"] == pytest.approx(-1)
    assert rows["deletion"]["score and length"] == pytest.approx(-1)
    assert abs(rows["indel"]["pct and length"]) < 0.15
    assert rows["insertion"]["in the lowest tenth of score"] == pytest.approx(3)
    assert rows["deletion"]["in the lowest tenth of score"] == 0
    assert "| insertion" in printed
