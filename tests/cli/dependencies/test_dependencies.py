"""Dependencies of a region: by their definition, and what is written of them."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from janusdna_cli import DependenciesSettings, DependencyMap, map_dependencies
from janusdna_cli.dependencies import reading

WINDOW = 64


def by_definition(oracle, window: str, start: int, end: int, strands: slice) -> np.ndarray:
    """(n, 4, n) of full passes over the edited window, in float64."""

    def odds(sequence: str) -> np.ndarray:
        p = np.clip(np.exp(oracle.logp(sequence)[strands, start:end]), 1e-6, 1 - 1e-6)
        return np.log2(p / (1 - p))

    found = np.full((end - start, 4, end - start), np.nan)
    before = odds(window)
    for i in range(start, end):
        for allele, base in enumerate("ACGT"):
            if window[i] in "ACGT" and base != window[i]:
                after = odds(window[:i] + base + window[i + 1 :])
                found[i - start, allele] = np.abs(after - before).max(axis=2).mean(axis=0)
                found[i - start, allele, i - start] = np.nan
    return found


@pytest.fixture
def mapped(work, model_dir):
    """The map of a region, and the files that are written of it."""

    def run(fasta: str, region: str, *more: object) -> DependencyMap:
        files = {name: work.folder / f"map.{name}" for name in ("parquet", "npy", "npz")}
        words = ["-o", files["parquet"], "--overwrite", "--model", model_dir, "--window", WINDOW, *more]
        for name in ("npz", "npy"):
            result = work.run("dependencies", fasta, "-r", region, "--matrix", files[name], *words)
            assert result.exit_code == 0, result.output
        with np.load(files["npz"]) as archive:
            arrays = dict(archive)
        return pd.read_parquet(files["parquet"]), arrays, np.load(files["npy"]), result

    return run


@pytest.mark.parametrize(
    ("first", "last", "window"),
    [(60, 73, (34, 98)), (1, 14, (0, 64)), (187, 200, (136, 200)), (69, 132, (68, 132))],
)
@pytest.mark.parametrize("strands", ["--rc", "--no-rc"])
def test_a_map_is_as_full_passes_over_each_edited_window_have_it(
    first, last, window, strands, work, mapped, oracle, bases
):
    contig = bases(200, 3)
    _, arrays, matrix, _ = mapped(work.fasta(chr1=contig), f"chr1:{first}-{last}", strands)
    low, high = window
    which = slice(0, 2) if strands == "--rc" else slice(0, 1)
    expected = by_definition(oracle, contig[low:high], first - 1 - low, last - low, which)
    np.testing.assert_allclose(arrays["by_allele"], expected, atol=1e-4)
    assert np.nanmax(expected) > 0.1
    best = np.nanmax(np.where(np.isnan(expected), -1, expected), axis=1)
    np.testing.assert_allclose(np.nan_to_num(matrix), np.maximum(best, 0), atol=1e-4)
    assert np.isnan(matrix).sum() == last - first + 1
    assert np.isnan(np.diag(matrix)).all()


def test_a_contig_shorter_than_the_window_is_read_whole_and_what_is_no_base_is_told(
    work, mapped, oracle, bases
):
    contig = bases(30, 4)
    contig = contig[:12] + "NR" + contig[14:]
    table, arrays, matrix, result = mapped(work.fasta(chr1=contig.lower()), "chr1:10-20")
    clean = contig.replace("R", "N")
    np.testing.assert_allclose(
        arrays["by_allele"], by_definition(oracle, clean, 9, 20, slice(0, 2)), atol=1e-4
    )
    assert np.isnan(matrix[3:5]).all()
    assert np.isfinite(matrix[0, 3:5]).all()
    assert arrays["ref"].tolist() == list(clean[9:20])
    assert arrays["status"].tolist() == ["ok"] * 3 + ["non_acgt"] * 2 + ["ok"] * 6
    lost = table[table["i"].isin([13, 14])]
    assert len(lost) == 2 * 11
    assert lost["ref"].eq("N").all()
    assert lost[["alt", "dependency"]].isna().all(axis=None)
    assert "11 bases: 9 ok, 2 non_acgt in " in result.stderr


def test_table_and_arrays_say_the_same(work, mapped, bases):
    table, arrays, matrix, _ = mapped(work.fasta(chr1=bases(90, 5)), "1:31-40")
    assert table.columns.tolist() == ["chrom", "i", "j", "ref", "alt", "dependency"]
    assert len(table) == 10 * 10 * 3
    assert table["chrom"].eq("1").all()
    assert table["dependency"].isna().equals(table["i"] == table["j"])
    assert (table["ref"] != table["alt"]).all()
    ordered = table[["i", "j", "alt"]].apply(tuple, axis=1)
    assert ordered.is_monotonic_increasing
    assert ordered.is_unique
    for row in table.itertuples():
        value = arrays["by_allele"][row.i - 31, "ACGT".index(row.alt), row.j - 31]
        assert value == np.float32(row.dependency) or np.isnan(value) == np.isnan(row.dependency)
    highest = table.groupby(["i", "j"])["dependency"].max().unstack().to_numpy()
    np.testing.assert_array_equal(highest, matrix)
    np.testing.assert_array_equal(arrays["dependency"], matrix)
    assert arrays["pos"].tolist() == list(range(31, 41))


def test_origin_is_told(work, mapped, bases):
    _, arrays, _, _ = mapped(work.fasta(chr1=bases(90, 5)), "chr1:31-40")
    found = json.loads(pq.read_metadata(work.folder / "map.parquet").metadata[b"janusdna"])
    assert found["region"] == "chr1:31-40"
    assert (found["window"], found["window_start"], found["window_end"]) == (64, 3, 67)
    assert json.loads(str(arrays["janusdna"]))["region"] == "chr1:31-40"
    for name in ("map.parquet", "map.npz"):
        assert work.run("info", work.folder / name).exit_code == 0


def test_substitutions_in_small_batches_come_to_the_same(work, model_dir, bases, monkeypatch):
    settings = DependenciesSettings(
        fasta=work.fasta(chr1=bases(90, 6)),
        region="chr1:30-60",
        model=str(model_dir),
        matrix="a.npy",
        window=64,
    )
    whole = map_dependencies(settings).by_allele
    monkeypatch.setattr(reading, "_POSITIONS", 33 * 20)
    (work.folder / "a.npy").unlink()
    np.testing.assert_allclose(map_dependencies(settings).by_allele, whole, atol=1e-5)


def test_only_what_is_asked_for_is_written(work, model_dir, bases):
    fasta = work.fasta("genome.fa", chr1=bases(40, 6))
    words = ["dependencies", fasta, "-r", "chr1:10-14", "--model", model_dir]
    assert work.run(*words, "--plot", "map.svg").exit_code == 0
    assert not (work.folder / "genome.janusdna.parquet").exists()
    assert work.run(*words).exit_code == 0
    assert (work.folder / "genome.janusdna.parquet").exists()
    shown = work.run(*words, "-o", "-", "--quiet")
    assert shown.stdout.splitlines()[0] == "chrom\ti\tj\tref\talt\tdependency"
    assert len(shown.stdout.splitlines()) == 1 + 5 * 5 * 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["-r", "chr1:1-1001"],
            "region 'chr1:1-1001': found 1,001 bases, expected 2 to 1,000: map a part of it",
        ),
        (["-r", "chr1"], "region 'chr1': found 1,100 bases, expected 2 to 1,000"),
        (["-r", "chr1:5-5"], "region 'chr1:5-5': found 1 bases, expected 2 to 1,000"),
        (
            ["-r", "chr1:1-100"],
            "found 100 bases, more than the window's 64: map a part of it, or pass a longer",
        ),
        (["-r", "chr9:1-10"], "has no contig 'chr9'"),
        (["-r", "chr1:1090-1101"], "chr1 has the bases 1-1,100"),
        (["-r", "n:3-9"], "region 'n:3-9': none of its bases is A, C, G or T; map another"),
        (["-r", "n:2-3", "-o", "a.gif"], "a.gif: the suffix .gif names no format of this table"),
        (["-r", "n:2-3", "--plot", "a.gif"], "a.gif: the suffix .gif names no picture format"),
        (["-r", "n:2-3", "--matrix", "a.txt"], "a.txt: the suffix .txt names no array; use .npy or .npz"),
        (["-r", "n:2-3", "--matrix", "genome.npy"], "genome.npy: exists; pass --overwrite to replace it"),
        (["-r", "n:2-3", "--plot", "no/a.png"], "create it first"),
    ],
)
def test_bad_input_is_one_line(words, said, work, model_dir, bases):
    fasta = work.fasta(chr1=bases(1100), n="N" * 80)
    (work.folder / "genome.npy").touch()
    result = work.run("dependencies", fasta, "--model", model_dir, *words)
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert said in errors[0]


def test_one_name_for_two_outputs_is_a_wrong_command_line(work):
    words = ["-r", "a:1-3", "--matrix", "a.npz", "--plot", "a.npz"]
    result = work.run("dependencies", work.fasta(a="ACGT"), *words)
    assert result.exit_code == 2
    assert "each output needs a name of its own" in result.stderr
