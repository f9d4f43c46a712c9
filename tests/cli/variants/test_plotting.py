"""Distributions of scores: counted as all values at once would be, and drawn so that they can be read."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janusdna_cli.variants.distributions import Distributions, Histogram, Percentiles, kinds_of

ALLELES = {
    "SNV": [("A", "C"), ("AT", "GT"), ("ac", "AG")],
    "MNV": [("AT", "GC"), ("ATG", "CTA")],
    "insertion": [("A", "AT"), ("AC", "TTT")],
    "deletion": [("AT", "A"), ("GGG", "GG")],
    "": [("A", "<DEL>"), ("A", "."), ("A", "*"), ("N", "A"), ("A", "]chr1:5]T")],
}


def scores(rows: int = 4000, seed: int = 0, **more: object) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    pairs = [pair for kind in ("SNV", "SNV", "MNV", "insertion", "deletion", "") for pair in ALLELES[kind]]
    chosen = rng.integers(len(pairs), size=rows)
    frame = pd.DataFrame(
        {
            "chrom": "chr1",
            "ref": [pairs[i][0] for i in chosen],
            "alt": [pairs[i][1] for i in chosen],
            "status": np.where([pairs[i] in ALLELES[""] for i in chosen], "symbolic", "ok"),
            "llr": rng.normal(-1, 3, rows).astype(np.float32),
            "influence": rng.exponential(0.2, rows).astype(np.float32),
        }
    )
    return frame.assign(**more)


def parquet(frame: pd.DataFrame, path: str, group: int = 500) -> str:
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=group)
    return path


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_kinds_are_told_by_what_differs():
    pairs = [(kind, *pair) for kind, some in ALLELES.items() for pair in some]
    kinds, refs, alts = zip(*pairs, strict=True)
    assert kinds_of(pd.Series(refs), pd.Series(alts)).tolist() == list(kinds)


@pytest.mark.parametrize("scale", [1e-5, 1.0, 37.0])
def test_a_histogram_is_that_of_all_values_at_once_in_any_order(scale):
    values = (np.random.default_rng(1).standard_cauchy(3000) * scale).astype(np.float32)
    values[:3] = 0, 2.0**-10, -4
    found = []
    for parts in (np.split(values, 10), np.split(values[::-1], 3)):
        histogram = Histogram(bins=64)
        for part in parts:
            histogram.add(part)
        found.append(histogram)
    assert found[0].reach == found[1].reach > np.abs(values).max()
    np.testing.assert_array_equal(found[0].counts, found[1].counts)
    np.testing.assert_array_equal(found[0].counts, np.histogram(values, found[0].edges)[0])


def test_percentiles_are_counted_up_to_each_edge():
    values = np.concatenate([[0, 1e-7, 1], np.random.default_rng(2).random(2000) ** 3]).astype(np.float32)
    percentiles = Percentiles()
    percentiles.add(values)
    expected = [(values <= edge).sum() for edge in percentiles.edges]
    np.testing.assert_array_equal(np.cumsum(percentiles.counts), expected)


def test_blocks_come_to_what_the_whole_table_does():
    frame = scores(llr_pct=np.linspace(0, 1, 4000), delta_pll_pct=np.nan)
    frame.loc[::7, "llr"] = np.nan
    whole, parts = (
        Distributions.of([frame]),
        Distributions.of(frame[at : at + 450] for at in range(0, 4000, 450)),
    )
    assert parts.statuses == whole.statuses == frame["status"].value_counts().to_dict()
    assert parts.kinds == whole.kinds
    assert list(parts.scores) == ["llr", "influence"]
    assert list(parts.percentiles) == ["llr_pct"]
    assert parts.scores["llr"]["SNV"].counts.tolist() == whole.scores["llr"]["SNV"].counts.tolist()
    kinds = kinds_of(frame["ref"], frame["alt"])
    known = frame["llr"].notna().groupby(kinds).sum()
    assert {kind: found.counts.sum() for kind, found in parts.scores["llr"].items()} == {
        kind: known[kind] for kind in ("SNV", "MNV", "insertion", "deletion")
    }


def test_parquet_and_tsv_give_the_same_picture(work):
    frame = scores(llr_pct=np.linspace(1e-6, 1, 4000).astype(np.float32))
    frame.loc[5:50, ["llr", "influence"]] = np.nan
    parquet(frame, "a.parquet")
    text = frame.to_csv(sep="\t", index=False, na_rep=".").encode()
    (work.folder / "a.tsv").write_bytes(text)
    (work.folder / "a.tsv.gz").write_bytes(gzip.compress(text))
    (work.folder / "other").mkdir()
    drawn = []
    for name in ("a.parquet", "a.tsv", "a.tsv.gz"):
        result = work.run("plot", name, "-o", "other/a.svg")
        assert result.exit_code == 0, result.output
        assert result.stderr == "janusdna: 4,000 alleles drawn -> other/a.svg\n"
        drawn.append((work.folder / "other" / "a.svg").read_text().replace(name, "NAME"))
    assert drawn[0] == drawn[1] == drawn[2]
    assert work.run("plot", "-", "-o", "-", "--format", "pdf", stdin=text).stdout_bytes.startswith(b"%PDF")


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_without_an_output_it_is_the_tables_name_and_the_same_bytes_again(form, work):
    parquet(scores(300), "some.scores.parquet")
    pictures = []
    for _ in range(2):
        assert work.run("plot", "some.scores.parquet", "--format", form).exit_code == 0
        pictures.append((work.folder / f"some.scores.{form}").read_bytes())
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"llr": np.nan, "influence": np.nan},
        {"delta_pll": -1e-9, "emb_l2": 3e7, "emb_cosine": 0.0, "llr_pct": 1e-9, "influence_pct": 1.0},
        {"status": [f"a_status_that_nobody_knows_number_{i % 20}" for i in range(400)]},
    ],
)
def test_all_text_is_inside_and_none_over_another(more, work, saved_figures, assert_legible):
    name = "a_table_with_a_name_that_is_longer_than_a_picture_is_wide_" * 3 + ".parquet"
    parquet(scores(400, **more), name)
    assert work.run("plot", name, "-o", "a.png").exit_code == 0
    assert_legible(saved_figures[-1])


def test_a_panel_shows_the_share_of_each_kind(work, saved_figures):
    frame = scores()
    parquet(frame, "a.parquet")
    assert work.run("plot", "a.parquet").exit_code == 0
    axes = {each.get_title(loc="left"): each for each in saved_figures[0].axes}
    assert list(axes)[:3] == ["llr", "influence", "status"]
    assert axes["llr"].get_xlabel() == "llr (nats)"
    low, high = axes["llr"].patches[0].get_data().edges[[0, -1]]
    snvs = frame.loc[kinds_of(frame["ref"], frame["alt"]) == "SNV", "llr"]
    shares = axes["llr"].patches[0].get_data().values
    expected = np.histogram(snvs, axes["llr"].patches[0].get_data().edges)[0] / len(snvs)
    np.testing.assert_allclose(shares, expected)
    assert low <= snvs.quantile(0.001)
    assert high >= snvs.quantile(0.999)
    assert [text.get_text() for text in axes["status"].texts] == [
        f"{count:,}" for count in frame["status"].value_counts()
    ]


def test_what_is_no_table_of_scores_is_one_line(work):
    expected = "expected a table that janusdna score-variants wrote, Parquet or TSV"
    there = "there is no such folder; pass the folder that `janusdna pretrain` writes, or a table of scores"
    parquet(scores(3)[["chrom", "ref", "alt", "status"]], "bare.parquet")
    parquet(scores(3).head(0), "empty.parquet")
    (work.folder / "cut.parquet").write_bytes((work.folder / "bare.parquet").read_bytes()[:-9])
    (work.folder / "a.txt").write_text("no table\n")
    (work.folder / "nothing").write_text("")
    (work.folder / "bad.tsv").write_text("ref\talt\tstatus\tllr\nA\tC\tok\tx\n")
    said = {
        "bare.parquet": f"bare.parquet: found the columns chrom, ref, alt, status; {expected}",
        "empty.parquet": "empty.parquet: holds no rows, expected an allele or more",
        "cut.parquet": "cut.parquet: is damaged or cut off: ",
        "a.txt": f"a.txt: found the columns no table; {expected}",
        "nothing": f"nothing: found the columns none; {expected}",
        "bad.tsv": "bad.tsv: found could not convert string to float: 'x'",
        "missing.parquet": f"missing.parquet: {there}",
    }
    for name, message in said.items():
        result = work.run("plot", name)
        assert (result.exit_code, result.stdout) == (1, "")
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith(f"janusdna: error: {message}")
    assert not list(work.folder.glob("*.png"))
