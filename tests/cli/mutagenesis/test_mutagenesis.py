"""Every allele of a region against `score-variants` of the same alleles, and what a region may be."""

import json
import subprocess

import numpy as np
import pandas as pd
import pysam
import pytest

from janusdna_cli.backgrounds.classes import all_classes
from janusdna_cli.mutagenesis import plotting
from janusdna_cli.reading import chunks
from janusdna_cli.variants.table import VARIANT_SCHEMA

from ..made_up_background import background_text

KEYS = ["chrom", "pos", "ref", "alt", "status"]
VALUES = [name for name in VARIANT_SCHEMA.names if name not in [*KEYS, "id"]]
TILED = ("--window", 16, "--context", "tiled")
EVERYTHING = ("--scores", "llr,delta_pll,embedding,influence", "--span", 8)


def genome(bases):
    """Contigs with runs of N, an ambiguity code, homopolymers across windows' borders, and a short one."""
    one = (
        bases(60, seed=1)
        + "A" * 30
        + bases(55, seed=2)
        + "NNNN"
        + bases(20, seed=3)
        + "R"
        + bases(31, seed=4)
    )
    return {"one": one, "two": "CCC" + bases(40, seed=5).lower() + "GG", "three": "ACG"}


def alleles(contig, start, end, *, deletions):
    """(pos, ref, alt) of every allele, written down base by base."""
    contig = contig.upper()
    for at in range(start, end):
        own = contig[at]
        if own not in "ACGT":
            yield at + 1, own, "."
            continue
        if deletions:
            yield (at, contig[at - 1 : at + 1], contig[at - 1]) if at else (1, contig[:2], contig[1])
        yield from ((at + 1, own, other) for other in "ACGT" if other != own)


def check_as_scored(work, contigs, regions, *options, deletions=False):
    """The same rows as those that score-variants makes of a VCF of the same alleles."""
    fasta = work.fasta(**contigs)
    bed = work.bed(*(f"{name} {start} {end}" for name, start, end in regions))
    made = [
        (name, *allele)
        for name, start, end in regions
        for allele in alleles(contigs[name], start, end, deletions=deletions)
    ]
    table = work.table(
        "mutagenesis", fasta, "--regions", bed, *options, *(["--deletions"] if deletions else [])
    )
    assert list(table.columns) == VARIANT_SCHEMA.names
    assert list(table[["chrom", "pos", "ref", "alt"]].itertuples(index=False, name=None)) == made
    vcf = work.vcf(*(f"{name} {pos} . {ref} {alt}" for name, pos, ref, alt in made))
    scored = work.score(vcf, "-f", fasta, *options)
    is_base = (scored["alt"] != ".").to_numpy()
    assert (table["status"][~is_base] == "non_acgt").all()
    table, scored = table[is_base].reset_index(drop=True), scored[is_base].reset_index(drop=True)
    assert list(table["status"]) == list(scored["status"])
    assert (table["status"] == "ok").sum() > 0.8 * len(table)
    for column in VALUES:
        np.testing.assert_allclose(
            table[column].to_numpy(float),
            scored[column].to_numpy(float),
            rtol=1e-5,
            atol=1e-5,
            err_msg=column,
        )
    return table


@pytest.mark.parametrize("context", ["tiled", "centered"])
@pytest.mark.parametrize("options", [(), ("--no-rc",)], ids=["both", "forward"])
def test_substitutions_are_scored_as_variants_are(work, bases, context, options):
    contigs = genome(bases)
    regions = [("one", 0, 201), ("two", 0, 45), ("three", 0, 3), ("one", 50, 60)]
    table = check_as_scored(work, contigs, regions, "--window", 32, "--context", context, *options)
    assert table["llr"].notna().all()
    assert table["delta_pll"].isna().all()


@pytest.mark.parametrize("context", ["tiled", "centered"])
@pytest.mark.parametrize("options", [(), ("--no-rc",)], ids=["both", "forward"])
def test_every_score_and_deletions_in_homopolymers(work, bases, context, options):
    contigs = genome(bases)
    regions = [("one", 66, 100), ("one", 140, 155), ("two", 0, 6), ("two", 40, 45), ("three", 0, 3)]
    table = check_as_scored(
        work, contigs, regions, "--window", 16, "--context", context, *EVERYTHING, *options, deletions=True
    )
    run = table[(table["ref"] == "AA") & table["pos"].between(67, 88)]
    assert run["delta_pll"].nunique() == 1  # one haplotype, in the window of its first writing
    assert run["window_start"].max() < 66


def test_default_scores_of_deletions(work, bases):
    table = check_as_scored(work, genome(bases), [("one", 0, 20)], *TILED, deletions=True)
    is_deletion = table["ref"].str.len() == 2
    assert table["delta_pll"][is_deletion].notna().all()
    assert table["llr"][~is_deletion].notna().all()
    assert table["llr"][is_deletion].isna().all()


def test_a_deletion_beside_a_base_before_its_region_is_read_where_it_is_left_most(work, bases):
    """The run of A begins before the region: the allele is that of the run's first base."""
    check_as_scored(work, genome(bases), [("one", 80, 88)], *TILED, *EVERYTHING, deletions=True)


@pytest.mark.parametrize("scores", [(), ("--scores", "influence,llr,delta_pll")], ids=["default", "all"])
def test_percentiles_are_those_of_variants(work, bases, scores):
    kinds = [kind for some in all_classes(8).values() for kind in some]
    sha256 = json.loads((work.model / "config.json").read_text())["weights_sha256"]
    conditions = {"window": 16, "context": "tiled", "span": 8, "both_strands": True}
    counts = {kind: 60 + 7 * number for number, kind in enumerate(kinds)}
    (work.folder / "background.json").write_text(background_text(sha256, conditions, counts))
    options = (*TILED, "--span", 8, "--background", work.folder / "background.json", *scores)
    table = check_as_scored(work, genome(bases), [("one", 60, 128), ("two", 0, 6)], *options, deletions=True)
    assert table["pct"].notna().all()
    if scores:
        assert (table["pct"] == table["influence_pct"]).all()


def small(bases):
    return {"one": bases(70, seed=11) + "NN" + bases(8, seed=12), "two": bases(30, seed=13)}


WORDS = ("--window", 32, "--deletions", "--span", 4)
BED = ("one 0 5", "elsewhere 3 9", "one 68 80", "two 20 31", "two 4 4", "two 26 30")
OUTSIDE = {"no_contig": 1, "out_of_contig": 1, "empty": 1}


def test_a_region_that_cannot_be_read_has_a_row_and_a_line(work, bases):
    fasta, bed = work.fasta(**small(bases), short="AC"), work.bed(*BED, "short 0 2")
    result = work.run("mutagenesis", fasta, "--regions", bed, *WORDS, "-m", work.model, "-o", "map.parquet")
    assert result.exit_code == 0, result.output
    table = pd.read_parquet("map.parquet")
    outside = table[~table["status"].isin(["ok", "non_acgt"])]
    assert list(outside[["chrom", "pos", "ref", "alt", "status"]].itertuples(index=False, name=None)) == [
        ("elsewhere", 4, "N", ".", "no_contig"),
        ("two", 21, "N", ".", "out_of_contig"),
        ("two", 5, "N", ".", "empty"),
        ("short", 1, "N", ".", "contig_too_short"),
    ]
    assert outside[VALUES].isna().all(axis=None)
    warnings = [line for line in result.stderr.splitlines() if "is not read" in line]
    assert warnings[0] == f"janusdna: warning: {bed}: the region from elsewhere:4 is not read: no_contig"
    assert len(warnings) == 4
    assert "1 contig_too_short, 1 empty, 1 no_contig, 1 out_of_contig" in result.stderr


def test_of_many_regions_outside_ten_are_told(work, bases):
    bed = work.bed(*(f"elsewhere {i} {i + 1}" for i in range(25)), "one 3 4")
    result = work.run(
        "mutagenesis", work.fasta(**small(bases)), "--regions", bed, "-m", work.model, "-o", "map.tsv"
    )
    told = [line for line in result.stderr.splitlines() if "not read" in line]
    assert len(told) == 11
    assert told[-1].endswith("15 more regions are not read")


@pytest.mark.parametrize(
    ("region", "found"),
    [("two:20-31", "two has the bases 1-30"), ("elsewhere", "has no contig 'elsewhere'"), ("two:7", "two:7")],
)
def test_a_named_region_outside_is_one_line(work, bases, region, found):
    fasta = work.fasta(**small(bases))
    result = work.run("mutagenesis", fasta, "-r", "one", "-r", region, "-m", work.model, "-o", "map.parquet")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), result.output
    assert result.stderr.startswith(f"janusdna: error: region '{region}'")
    assert found in result.stderr
    assert not any(work.folder.glob("map*"))


@pytest.mark.parametrize("name", ["map.vcf", "map.vcf.gz", "map.bcf"])
def test_records_say_what_the_table_says(work, bases, name):
    """The bases' rows in their order, with INFO, a header that declares the contigs, and an index."""
    fasta, bed = work.fasta(**small(bases)), work.bed("one 0 5", "elsewhere 3 9", "one 68 80", "two 26 30")
    words = ["mutagenesis", fasta, "--regions", bed, *WORDS, "-m", work.model]
    table = work.table(*words[:-2])
    table = table[table["status"].isin(["ok", "non_acgt"])]
    assert work.run(*words, "-o", name).exit_code == 0
    with pysam.VariantFile(name) as file:
        assert {each.name: each.length for each in file.header.contigs.values()} == {"one": 80, "two": 30}
        records = [(each, each.info.get("JANUS_LLR"), each.info.get("JANUS_DPLL")) for each in file]
    assert len(records) == len(table)
    for row, (record, llr, delta) in zip(table.to_dict("records"), records, strict=True):
        alts = None if row["alt"] == "." else (row["alt"],)
        assert (record.chrom, record.pos, record.ref, record.alts) == (
            row["chrom"],
            row["pos"],
            row["ref"],
            alts,
        )
        for column, value in (("llr", llr), ("delta_pll", delta)):
            told = None if np.isnan(row[column]) else pytest.approx(row[column], rel=1e-6)
            assert (value and value[0]) == told
    if name != "map.vcf":
        found = subprocess.run(
            ["bcftools", "view", "-H", name, "one:69-71"], capture_output=True, text=True, check=True
        )
        there = table[(table["chrom"] == "one") & (table["pos"] <= 71)]
        assert len(found.stdout.splitlines()) == (there["pos"] + there["ref"].str.len() > 69).sum()


def test_a_stream_and_a_file_hold_the_same_records(work, bases, monkeypatch):
    monkeypatch.setattr(chunks, "_CHUNK_ITEMS", 2)
    fasta, bed = work.fasta(**small(bases)), work.bed(*BED)
    words = ["mutagenesis", fasta, "--regions", bed, *WORDS, "-q", "-m", work.model]
    assert work.run(*words, "-o", "map.vcf").exit_code == 0
    streamed = work.run(*words, "-o", "-", "--format", "vcf")

    def said(text):
        return [line for line in text.splitlines() if not line.startswith("##janusdna")]

    assert said(streamed.stdout) == said((work.folder / "map.vcf").read_text())


@pytest.mark.parametrize("name", ["map.parquet", "map.vcf", "map.bcf"])
def test_shards_are_merged_to_what_one_run_writes(work, bases, name):
    fasta, bed = work.fasta(**small(bases)), work.bed(*BED)
    words = ["mutagenesis", fasta, "--regions", bed, *WORDS, "--batch-bp", 64, "-m", work.model]
    assert work.run(*words, "-o", f"whole-{name}").exit_code == 0
    for shard in ("1/2", "2/2"):
        assert work.run(*words, "--shard", shard, "-o", "parts").exit_code == 0
    merged = work.run("merge", "parts", "-o", name)
    assert merged.exit_code == 0, merged.output
    if name.endswith("parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(name), pd.read_parquet(f"whole-{name}"))
        return
    with pysam.VariantFile(name) as one, pysam.VariantFile(f"whole-{name}") as two:
        assert [str(each) for each in one] == [str(each) for each in two]


def test_a_region_of_unknown_bases_is_not_read(work):
    fasta = work.fasta(one="N" * 400 + "ACGTACGTAC" * 2)
    result = work.run(
        "mutagenesis", fasta, "-r", "one:1-300", "-w", 32, "-m", work.model, "-o", "map.parquet"
    )
    assert "300 alleles: 300 non_acgt in " in result.stderr  # and no windows
    assert set(pd.read_parquet("map.parquet")["ref"]) == {"N"}


@pytest.fixture
def drawn(monkeypatch):
    """What is to be drawn, instead of a picture."""
    calls = []
    monkeypatch.setattr(plotting, "check_length", lambda name, bases: calls.append((name, bases)))
    monkeypatch.setattr(plotting, "draw_map", lambda path, **what: calls.append(what | {"path": path}))
    return calls


@pytest.mark.parametrize("deletions", [True, False])
def test_the_picture_shows_the_table(work, bases, drawn, deletions):
    contigs = small(bases)
    words = ("--scores", "delta_pll", "--span", 4, *(["--deletions"] if deletions else []))
    table = work.table(
        "mutagenesis", work.fasta(**contigs), "-r", "one:1-75", "-w", 32, *words, "--plot", "map.png"
    )
    checked, what = drawn
    assert checked == ("one:1-75", 75)
    assert (what["path"], what["contig"], what["start"], what["score_name"]) == (
        "map.png",
        "one",
        0,
        "delta_pll",
    )
    for at, base in enumerate(contigs["one"][:75]):
        own = table[(table["pos"] == at + 1) & (table["ref"] == base)]
        if base == "N":
            assert np.isnan(what["scores"][at]).all()
            continue
        code = "ACGT".index(base)
        assert what["ids"][at] == 7 + code
        assert 0.5 < np.exp(what["logp"][at]).sum() < 1 + 1e-6  # of means of log p
        assert what["logp"][at, code] == own["ref_logp"].iloc[0]
        for alt, value, logp in own[["alt", "delta_pll", "alt_logp"]].itertuples(index=False):
            assert what["scores"][at, "ACGT".index(alt)] == value
            assert what["logp"][at, "ACGT".index(alt)] == logp
        assert np.isnan(what["scores"][at, code])
    if not deletions:
        assert what["deletions"] is None
        return
    gone = table[table["ref"].str.len() == 2]
    known = [at for at, base in enumerate(contigs["one"][:75]) if base != "N"]
    np.testing.assert_array_equal(what["deletions"][known], gone["delta_pll"])


def test_what_cannot_be_drawn_is_told_before_any_work(work, bases, drawn):
    fasta, bed = work.fasta(**small(bases)), work.bed(*BED)
    words = ["mutagenesis", fasta, "--plot", "map.png", "-m", work.model]
    for more, found in (
        (
            ["-r", "one", "-r", "two", "-o", "map.tsv"],
            "--plot: a picture shows one region, found more than one",
        ),
        (["--regions", bed, "-o", "map.tsv"], "found more than one"),
        (["-r", "one", "--shard", "1/2", "-o", "parts"], "--plot: a part of the table"),
    ):
        result = work.run(*words, *more)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), result.output
        assert found in result.stderr
    refused = work.run(*words[:-4], "--plot", "map.gif", "-r", "one")
    assert refused.exit_code == 2
    assert ".png, .svg, .pdf" in refused.stderr
