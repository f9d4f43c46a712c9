"""Backgrounds from a genome to percentiles, against scores of the same alleles one by one."""

import json
import shutil
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest

from janusdna_cli import CalibrateSettings, ScoreSettings, calibrate, score_variants
from janusdna_cli.backgrounds import background as background_module
from janusdna_cli.backgrounds.background import UNEXPECTED, read_background
from janusdna_cli.calibration import alleles as alleles_module
from janusdna_cli.calibration import calibrating
from janusdna_cli.calibration.alleles import RandomAlleles, wanted
from janusdna_cli.calibration.places import Places
from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.vcf import VariantReader

# Just enough for each class of SNVs and of indels; of others there are too few.
FEWEST, ALLELES, WINDOW, SPAN = 12, 600, 64, 4
OPTIONS = {"window": WINDOW, "span": SPAN, "quiet": True}


@pytest.fixture(scope="module", autouse=True)
def _few_are_enough():
    with pytest.MonkeyPatch.context() as patched:
        for module in (background_module, alleles_module):
            patched.setattr(module, "FEWEST", FEWEST)
        yield


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Two contigs with repeats, N and lower case, and one that is too short."""
    rng = np.random.default_rng(1)

    def contig(length):
        words = ["CA" * 4, "A" * 6, "CG", "TTAGGG" * 2, *map("".join, rng.choice(list("ACGT"), (40, 12)))]
        return "".join(rng.choice(words, length // 10))[:length]

    one = contig(7_000)
    one = one[:2000] + "N" * 300 + one[2300:3000].lower() + one[3000:]
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(f">one\n{one}\n>two\n{contig(3_000)}\n>short\n{'ACG' * 20}\n")
    return path


@pytest.fixture(scope="module")
def model(model_dir, tmp_path_factory):
    """A copy, for backgrounds are kept beside it."""
    return Path(shutil.copytree(model_dir, tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture(scope="module")
def background(genome, model):
    """The file, beside its model."""
    return Path(calibrate(CalibrateSettings(fasta=genome, model=model, alleles=ALLELES, **OPTIONS)).path)


@pytest.fixture(scope="module")
def drawn(genome, tmp_path_factory):
    """The alleles that the background was made of, as a VCF, each with its class as ID."""
    vcf = tmp_path_factory.mktemp("drawn") / "alleles.vcf"
    calibrating._write_alleles(CalibrateSettings(fasta=genome, alleles=ALLELES, **OPTIONS), vcf, WINDOW)
    return vcf


@pytest.fixture(scope="module")
def scored(genome, model, background, drawn):
    """Their table, percentiles included."""
    output = drawn.with_suffix(".parquet")
    score_variants(
        ScoreSettings(
            vcf=drawn, fasta=genome, model=model, scores=("llr", "delta_pll", "influence"),
            output=output, **OPTIONS,
        )
    )  # fmt: skip
    return pd.read_parquet(output)


def records(vcf):
    with VariantReader.open(str(vcf)) as reader:
        return [(each.chrom, each.pos, each.ref, *each.alts) for each in reader]


def test_alleles_are_as_many_as_wanted_and_none_twice(drawn, scored):
    assert len(set(records(drawn))) == len(records(drawn)) == len(scored)
    assert (scored["status"] == "ok").all()
    counts, asked = scored["id"].value_counts(), wanted(ALLELES, WINDOW // 4)
    assert set(counts.index) <= set(asked)
    assert abs(sum(asked.values()) - ALLELES) < len(asked)
    for name, count in asked.items():
        assert counts.get(name, 0) <= count
        if not name.endswith(":repeat"):
            assert counts[name] == count, name


def test_alleles_are_scored_in_whole_windows(scored):
    assert (scored["window_end"] - scored["window_start"] == WINDOW).all()
    assert {"one", "two"} == set(scored["chrom"])


def test_percentiles_against_counting(scored, background):
    """Every allele among all of its class; one value may round otherwise than in the run before."""
    found = read_background(background)
    checked = 0
    for name, members in scored.groupby("id"):
        for score, unexpected in UNEXPECTED.items():
            values, shares = members[score].to_numpy(), members[f"{score}_pct"].to_numpy()
            if len(members) < FEWEST or np.isnan(values).all():
                assert np.isnan(shares).all()
                continue
            turned = values if unexpected == "low" else -values
            counted = (turned[:, None] >= turned[None, :]).sum(axis=1)
            gap = np.diff(found.ranks[len(members)]).max() - 1
            assert np.abs(shares * (len(members) + 1) - (counted + 1)).max() <= gap + 1 + 1e-3, name
            assert 1 / (len(members) + 1) <= shares.min() <= 2 / (len(members) + 1) + 1e-6
            assert 1 - 1 / len(members) < shares.max() <= 1
            checked += 1
    assert checked > 60


def test_percentiles_of_alleles_of_the_background_are_uniform(scored):
    """Farther from it than this by steps of the quantiles alone: ranks and what lies between them."""
    for score in UNEXPECTED:
        for name, members in scored.dropna(subset=[f"{score}_pct"]).groupby("id"):
            shares, count = np.sort(members[f"{score}_pct"].to_numpy()), len(members)
            uniform = (np.arange(count) + 1) / count
            assert np.abs(shares - uniform).max() <= 4 / count, (score, name)


def test_percentiles_of_other_alleles_are_uniform(genome, model, background, tmp_path):
    """Of another seed; by Kolmogorov and Smirnov: farther apart one time in a million."""
    vcf, output = tmp_path / "others.vcf", tmp_path / "others.parquet"
    other = CalibrateSettings(fasta=genome, alleles=ALLELES, seed=1, **OPTIONS)
    calibrating._write_alleles(other, vcf, WINDOW)
    score_variants(ScoreSettings(vcf=vcf, fasta=genome, model=model, output=output, **OPTIONS))
    table = pd.read_parquet(output).dropna(subset=["pct"])
    for name, members in table.groupby(table["id"].str.split(":").str[0]):
        shares, count = np.sort(members["pct"].to_numpy()), len(members)
        distance = np.abs(shares - (np.arange(count) + 0.5) / count).max()
        assert distance < np.sqrt(np.log(2 / 1e-6) / 2 * 2 / count) + 0.02, name
    is_substitution = table["id"].str.startswith(("SNV", "MNV"))
    assert (table["pct"] == table["llr_pct"].where(is_substitution, table["delta_pll_pct"])).all()


def test_the_same_seed_makes_the_same_and_another_other_alleles(genome, drawn, tmp_path):
    for seed, is_same in ((0, True), (1, False)):
        settings = CalibrateSettings(fasta=genome, alleles=ALLELES, seed=seed, **OPTIONS)
        calibrating._write_alleles(settings, tmp_path / "again.vcf", WINDOW)
        assert ((tmp_path / "again.vcf").read_bytes() == drawn.read_bytes()) is is_same


def test_places_are_all_those_with_a_window_around_them(work):
    fasta = work.fasta(a="ACGT" * 20, b="A" * 64, c="A" * 63)
    with Reference.open(fasta) as reference:
        for intervals, expected in (
            (None, {("a", at) for at in range(32, 49)} | {("b", 32)}),
            ("a 40 50\na 30 35\na 33 42\na 0 9\nc 0 9\n", {("a", at) for at in range(32, 49)}),
            ("a 34 36\nb 0 64\n", {("a", 34), ("a", 35), ("b", 32)}),
        ):
            bed = intervals and work.file("x.bed", intervals.replace(" ", "\t"))
            places = Places(reference, 64, bed)
            rng = Random(0)
            assert {places.draw(rng) for _ in range(60 * places.total)} == expected
            assert places.total == len(expected)


def test_intervals_are_where_alleles_lie(genome, tmp_path):
    bed = tmp_path / "x.bed"
    bed.write_text("two\t100\t1400\n")
    with Reference.open(genome) as reference:
        places = Places(reference, WINDOW, str(bed))
        alleles = RandomAlleles(
            reference, places, {"SNV:A>C": 50, "deletion:3": 50}, longest=16, around=4, seed=0
        )
        starts = [allele.start for _, allele in alleles]
        assert len(starts) == 100
        assert 100 <= min(starts) < 300
        assert 1200 < max(starts) < 1400


def test_a_run_that_was_cut_off_goes_on(genome, model, tmp_path, monkeypatch):
    def cut_off(*_):
        raise KeyboardInterrupt

    output = tmp_path / "again.json"
    settings = {"fasta": genome, "model": model, "alleles": 300, "scores": ("llr",), **OPTIONS}
    whole = calibrate(CalibrateSettings(**settings, output=tmp_path / "whole.json"))
    settings["output"] = output
    with monkeypatch.context() as patched:
        patched.setattr(calibrating, "_background_text", cut_off)
        with pytest.raises(KeyboardInterrupt):
            calibrate(CalibrateSettings(**settings))
    assert not output.exists()
    again = calibrate(CalibrateSettings(**settings, resume=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.json", "whole.json"]
    told = [json.loads((tmp_path / name).read_text()) for name in ("again.json", "whole.json")]
    assert told[0]["classes"] == told[1]["classes"]
    assert again.counts == whole.counts
    assert again.scores == ["llr"]


def test_nothing_is_left_of_a_run_that_did_nothing(genome, model, tmp_path, monkeypatch):
    def broken(*_):
        raise InputError("broken")

    monkeypatch.setattr(calibrating, "score_variants", broken)
    with pytest.raises(InputError, match="broken"):
        calibrate(
            CalibrateSettings(
                fasta=genome, model=model, output=tmp_path / "x.json", alleles=ALLELES, **OPTIONS
            )
        )
    assert list(tmp_path.iterdir()) == []


def test_a_background_says_where_it_comes_from(background, genome, model):
    found = json.loads(background.read_text())
    assert (background.parent, background.name) == (model, "background-64-centered-4-rc.json")
    assert found["model"]["name"] == "tiny"
    assert found["conditions"] == {"window": 64, "context": "centered", "span": 4, "both_strands": True}
    made = found["made"]
    assert (made["reference"], made["seed"], made["asked"]) == (genome.name, 0, ALLELES)
    assert set(made["contig_md5"]) == {"one", "two"}
    assert all(
        len(found["ranks"][str(each["alleles"])]) == len(each[score])
        for each in found["classes"].values()
        for score in set(each) - {"alleles"}
    )
    assert list(found["classes"]["SNV:A>C"]) == ["alleles", *UNEXPECTED]
    assert "llr" not in found["classes"]["deletion:1"]
    assert set(found["classes"]["MNV:3"]) == {"alleles"}  # too few
    assert not list(model.glob("*.work"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["-n", "296"], "-n: found 296, expected 297 or more, which makes 12 for each class of SNVs"),
        (["-w", "8k"], "genome.fa: the longest contig has 7,000 bases, expected 8,192 or more"),
        (["--intervals", "unknown.bed"], "unknown.bed: line 1: nine is no contig of"),
        (["--intervals", "outside.bed"], "line 2: two:2000-4000 reaches outside the contig's 3,000 bases"),
        (["--intervals", "ends.bed"], "ends.bed: none of its intervals holds a base with a window of 64"),
        (["--intervals", "missing.bed"], "missing.bed: no such file"),
        (["-o", "there.json"], "there.json: exists; pass --overwrite"),
        (["-o", "nowhere/x.json"], "does not exist; create it first"),
    ],
)
def test_bad_input_is_one_line(work, genome, options, problem):
    work.file("unknown.bed", "nine\t1\t2\n")
    work.file("outside.bed", "two\t1\t200\ntwo\t2000\t4000\n")
    work.file("ends.bed", "two\t0\t20\nshort\t1\t50\n")
    work.file("there.json", "")
    before = sorted(work.folder.iterdir())
    told = ["-n", ALLELES] + ([] if "-o" in options else ["-o", "x.json"])
    result = work.run("calibrate", genome, "-m", work.model, *told, *options)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1), result.stderr
    assert problem in result.stderr
    assert sorted(work.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--scores", "llr,embedding"], "expected some of llr, delta_pll, influence"),
        (["-o", "-"], "expected the name of a file"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_a_wrong_command_line(work, genome, options, problem):
    result = work.run("calibrate", genome, "-m", work.model, *options)
    assert result.exit_code == 2
    assert problem in result.stderr
