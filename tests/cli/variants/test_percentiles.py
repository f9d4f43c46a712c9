"""Which background tells percentiles, where they stand, and what is said where none can be told."""

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from janusdna_cli.backgrounds.background import UNEXPECTED, Conditions
from janusdna_cli.variants.scores import SCORES

from ..conftest import random_bases
from ..made_up_background import CONDITIONS, DELETION, INSERTION, SNV, background_text

CONTIG = "AC" * 8 + random_bases(200, seed=3)
OPTIONS = ("--window", 64)


@pytest.fixture
def work(work):
    """With a model of its own."""
    shutil.copytree(work.model, work.folder / "model")
    work.model = work.folder / "model"
    return work


@pytest.fixture
def sha256(work):
    return json.loads((work.model / "config.json").read_text())["weights_sha256"]


@pytest.fixture
def files(work):
    """A VCF of two A>C, one of them beside another ALT, a deletion, an insertion, and REF as ALT."""
    at = CONTIG.index("A", 100)
    two = CONTIG.index("A", at + 1)
    records = [
        f"c {at + 1} . A C,<DEL>",
        f"c {two + 1} . A C",
        "c 4 . CAC C",
        f"c 60 . {CONTIG[59]} {CONTIG[59]}{'GTC' if CONTIG[60] != 'G' else 'TCA'}",
        f"c 60 . {CONTIG[59]} {CONTIG[59]}",
    ]
    return work.vcf(*records), "-f", work.fasta(c=CONTIG)


def metadata(path):
    return json.loads(pq.read_metadata(path).metadata[b"janusdna"])


def beside(work, text, name="background-x.json"):
    (work.model / name).write_text(text)


def test_low_is_unexpected_of_scores_with_a_sign_and_high_of_others():
    of = {name: "low" if score.is_signed else "high" for name, score in SCORES.items() if score.percentile}
    assert of == UNEXPECTED


def test_percentiles_stand_beside_their_scores(work, files, sha256):
    beside(work, background_text(sha256))
    table = work.score(*files, *OPTIONS, "--scores", "influence,llr,delta_pll")
    snv = table.iloc[0]

    def share(value, count, turned=1):
        return (np.sum(np.linspace(-9, 9, count) <= turned * value) + 1) / (count + 1)

    assert snv["llr_pct"] == pytest.approx(share(snv["llr"], 101), abs=0.03)
    assert snv["delta_pll_pct"] == pytest.approx(share(snv["delta_pll"], 101), abs=0.03)
    assert snv["influence_pct"] == pytest.approx(share(-snv["influence"], 101), abs=0.03)
    assert (table["pct"].dropna() == table["influence_pct"].dropna()).all()  # the first that is asked for
    deletion = table.iloc[3]
    assert deletion["delta_pll_pct"] == pytest.approx(share(deletion["delta_pll"], 60), abs=0.04)
    assert np.isnan(deletion["llr_pct"])
    told = table["pct"].notna().tolist()
    assert told == [True, False, True, True, False, False]
    assert table["pct"].dropna().between(0, 1, inclusive="right").all()
    columns = list(table.columns)
    for name in ("llr", "delta_pll", "influence"):
        assert columns[columns.index(name) + 1] == f"{name}_pct"
        assert SCORES[name].percentile.name == f"{name}_pct"


def test_what_has_no_percentile_is_said_once(work, files, sha256):
    beside(work, background_text(sha256))
    result = work.run("score-variants", *files, *OPTIONS, "-m", work.model, "-o", "out.tsv", "--quiet")
    (line,) = result.stderr.splitlines()
    assert "warning: 1 scores have no percentile: " in line
    assert "background-x.json has fewer than 50 random alleles of their class, or none" in line


def test_by_default_pct_is_that_of_the_score_that_an_allele_has(work, files, sha256):
    beside(work, background_text(sha256))
    table = work.score(*files, *OPTIONS)
    assert table["pct"].iloc[0] == table["llr_pct"].iloc[0] > 0
    assert table["pct"].iloc[3] == table["delta_pll_pct"].iloc[3] > 0
    assert table["influence_pct"].isna().all()


def test_none_tells_no_percentile_and_the_same_scores(work, files, sha256):
    told = work.score(*files, *OPTIONS)
    assert told.filter(like="pct").isna().all(axis=None)
    beside(work, background_text(sha256))
    none = work.score(*files, *OPTIONS, "--background", "none")
    pd.testing.assert_frame_equal(none, told)
    assert "background" not in metadata("out.parquet")
    work.score(*files, *OPTIONS)
    found = metadata("out.parquet")["background"]
    assert found["alleles"] == 210
    assert found["sha256"] == hashlib.sha256((work.model / "background-x.json").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({"window": 63}, "--window 63"),
        ({"context": "tiled"}, "--context tiled"),
        ({"span": 9}, "--span 9"),
        ({"both_strands": False}, "--no-rc"),
    ],
)
def test_a_background_of_other_settings_is_not_used_and_one_line_says_why(work, files, sha256, other, found):
    beside(work, background_text(sha256, CONDITIONS | other))
    run = ("score-variants", *files, *OPTIONS, "-m", work.model, "-o", "out.parquet", "--overwrite")
    said = [line for line in work.run(*run).stderr.splitlines() if "percentiles" in line]
    assert len(said) == 1
    assert found in said[0]
    assert "no percentiles: the background of tiny is of " in said[0]
    assert pd.read_parquet("out.parquet")["pct"].isna().all()
    asked = work.run(*run, "--background", work.model / "background-x.json")
    assert (asked.exit_code, len(asked.stderr.splitlines())) == (1, 1)
    assert f"background-x.json: is of {Conditions(**(CONDITIONS | other))}, expected " in asked.stderr
    beside(work, background_text(sha256), "background-y.json")
    assert "no percentiles" not in work.run(*run).stderr
    assert pd.read_parquet("out.parquet")["pct"].notna().any()


def test_one_in_the_cache_goes_before_one_that_came_with_the_model(work, files, sha256, tmp_path):
    beside(work, background_text(sha256))
    cache = tmp_path / "cache" / "janusdna" / "backgrounds" / sha256
    cache.mkdir(parents=True)
    (cache / "background-x.json").write_text(background_text(sha256, counts={SNV: 50}))
    table = work.score(*files, *OPTIONS, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert table["pct"].notna().tolist() == [True, False, True, False, False, False]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "b.json: No such file or directory; expected a background"),
        ("{", "b.json: no background that this version reads (JSONDecodeError"),
        ("[1]", "b.json: no background that this version reads (TypeError"),
        ("{}", "b.json: no background that this version reads (KeyError"),
        ('{"kind": "janusdna background", "version": 2}', "(ValueError: version 2)"),
        ("other", "b.json: is of the model tiny (sha256 0...), expected one of tiny ("),
        ("unsorted", "llr is not sorted"),
        ("longer", "SNV:A>C has other values than ranks"),
    ],
)
def test_a_file_that_does_not_do_is_one_line(work, files, sha256, text, problem):
    if text == "other":
        text = background_text("0")
    elif text is not None and text.isalpha():
        found = json.loads(background_text(sha256))
        llr = found["classes"][SNV]["llr"]
        found["classes"][SNV]["llr"] = llr[::-1] if text == "unsorted" else [*llr, 99]
        text = json.dumps(found)
    if text is not None:
        work.file("b.json", text)
    result = work.run("score-variants", *files, "-m", work.model, *OPTIONS, "--background", "b.json")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert problem in result.stderr


def test_a_broken_one_beside_the_model_is_a_warning(work, files, sha256):
    beside(work, "{", "background-a.json")
    beside(work, background_text(sha256), "background-b.json")
    beside(work, background_text("0"), "background-c.json")  # of other weights that were here before
    result = work.run("score-variants", *files, "-m", work.model, *OPTIONS, "-o", "out.parquet")
    assert result.exit_code == 0
    assert "warning: " in result.stderr
    assert "background-a.json: no background that this version reads" in result.stderr
    assert pd.read_parquet("out.parquet")["pct"].notna().any()


def test_records_have_the_percentile_of_the_first_score(work, files, sha256):
    beside(work, background_text(sha256))
    table = work.score(*files, *OPTIONS)
    run = ("score-variants", files[0], *files[1:], *OPTIONS, "-m", work.model)
    for background, is_told in (("auto", True), ("none", False)):
        for streamed in (False, True):
            done = work.run(*run, "--background", background, *(
                ("-o", "-", "--format", "vcf") if streamed else ("-o", "out.vcf", "--overwrite")
            ))  # fmt: skip
            assert done.exit_code == 0, done.stderr
            text = done.stdout if streamed else (work.folder / "out.vcf").read_text()
            assert ("##INFO=<ID=JANUS_PCT,Number=A,Type=Float" in text) is is_told
            found = [
                line.split("JANUS_PCT=")[1].split(";")[0]
                for line in text.splitlines()
                if "JANUS_PCT=" in line
            ]
            if is_told:
                values = ",".join(found).split(",")
                np.testing.assert_allclose(
                    [np.nan if each == "." else float(each) for each in values], table["pct"], rtol=1e-6
                )
            else:
                assert found == []


def test_shards_and_what_is_merged_of_them(work, files, sha256):
    beside(work, background_text(sha256))
    table = work.score(*files, *OPTIONS)
    run = ("score-variants", *files, *OPTIONS, "-m", work.model, "-o", "parts/")
    assert work.run(*run, "--shard", "1/2").exit_code == 0
    other = work.run(*run, "--shard", "2/2", "--background", "none")
    assert other.exit_code == 0
    mixed = work.run("merge", "parts/", "-o", "merged.vcf")
    assert (mixed.exit_code, len(mixed.stderr.splitlines())) == (1, 1)
    assert "--background" in mixed.stderr
    assert work.run(*run, "--shard", "2/2", "--overwrite").exit_code == 0
    assert work.run("merge", "parts/", "-o", "merged.parquet").exit_code == 0
    assert work.run("merge", "parts/", "-o", "merged.vcf").exit_code == 0
    pd.testing.assert_frame_equal(pd.read_parquet("merged.parquet"), table)
    assert "##INFO=<ID=JANUS_PCT" in (work.folder / "merged.vcf").read_text()


def test_models_info_tells_of_backgrounds(work, sha256):
    assert "none: `janusdna calibrate` makes one" in work.run("models", "info", work.model).stdout
    beside(work, background_text(sha256))
    told = work.run("models", "info", work.model).stdout
    assert "of llr, delta_pll, influence by 210 random alleles, --window 64 --context centered" in told
    record = json.loads(work.run("info", work.model, "--json").stdout)
    assert record["backgrounds"][0]["classes"] == {SNV: 101, DELETION: 60, INSERTION: 49}
