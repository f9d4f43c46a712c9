"""`janusdna demo`: the files it makes are what it says, and the commands it prints work."""

import re
import shlex

import pandas as pd
import pysam
import pytest

from janusdna_cli.demo_data import make_demo


@pytest.fixture
def demo(tmp_path):
    return make_demo(tmp_path / "demo", overwrite=False)


def test_the_genome_has_the_dirt_of_a_real_one(demo):
    with pysam.FastaFile(str(demo.genome)) as fasta:
        assert dict(zip(fasta.references, fasta.lengths, strict=True)) == {
            "chr1": 60_000, "chr2": 20_000, "chrM": 600,
        }  # fmt: skip
        bases = fasta.fetch("chr1")
    assert bases.endswith("N" * 500)
    assert set(bases) == set("ACGTacgtN")


def test_the_variants_are_on_the_genome_but_for_the_one_that_says_so(demo):
    mismatches = []
    with pysam.VariantFile(str(demo.variants)) as variants, pysam.FastaFile(str(demo.genome)) as fasta:
        for record in variants:
            if record.chrom in fasta.references:
                found = fasta.fetch(record.chrom, record.start, record.start + len(record.ref)).upper()
                mismatches += [record.id] * (found != record.ref)
    assert mismatches == ["ref_mismatch"]


def test_the_order_of_two_words_is_the_label(demo):
    table = pd.read_csv(demo.labels, sep="\t")
    assert len(table) == table.id.nunique() == table.sequence.nunique() == 2_400
    assert 1_100 < (table.order == "AP1-ETS").sum() < 1_300
    turned = 0
    for sequence, order in zip(table.sequence, table.order, strict=True):
        forward = "TGACTCA" in sequence and "GGAAGTG" in sequence
        words = ("TGACTCA", "GGAAGTG") if forward else ("CACTTCC", "TGAGTCA")
        first, second = words if (order == "AP1-ETS") else words[::-1]
        assert re.search(f"{first}.*{second}", sequence), (sequence, order)
        turned += not forward
    assert 1_100 < turned < 1_300


def test_two_demos_are_the_same(demo, tmp_path):
    again = make_demo(tmp_path / "again", overwrite=False)
    for name in ("genome", "regions", "labels"):
        assert getattr(demo, name).read_bytes() == getattr(again, name).read_bytes()
    records = [path.read_text().partition("#CHROM")[2] for path in (demo.variants, again.variants)]
    assert records[0] == records[1]


def test_a_demo_replaces_nothing_unasked(work):
    work.file("notes.txt", "precious")
    for folder, found in ((".", "is not empty"), ("notes.txt", "is a file")):
        result = work.run("demo", folder)
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
        assert found in result.stderr
    assert (work.folder / "notes.txt").read_text() == "precious"


def test_the_printed_commands_work(work):
    result = work.run("demo", "try it", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [shlex.split(line) for line in result.stdout.splitlines()]
    assert [line[:2] for line in lines] == [["janusdna", "score-variants"], ["janusdna", "embed"]]
    for line in lines:
        assert work.run(*line[1:], "--window", 256).exit_code == 0
    scores = pd.read_parquet("variants.janusdna.parquet")
    by_id = scores.groupby("id")["status"].first()
    assert by_id["ref_mismatch"] == "ref_mismatch"
    assert by_id["symbolic"] == "symbolic"
    assert scores["status"].value_counts().to_dict() == {
        "ok": 18, "symbolic": 1, "ref_mismatch": 1, "no_contig": 1,
    }  # fmt: skip
    regions = pd.read_parquet("emb.parquet")
    assert regions["status"].tolist() == ["ok"] * 10 + ["out_of_contig"]


def test_a_demo_may_run_itself(work):
    result = work.run("demo", "d", "--run", "--quiet", OMP_NUM_THREADS="1")
    assert result.exit_code == 0, result.output
    assert "untrained" not in result.stderr
    assert "snv_1" in result.stdout
    scores = pd.read_parquet(work.folder / "d" / "scores.parquet").set_index("id")["llr"]
    # A model that knows DNA expects the repeat to go on, and the transition at a CpG.
    assert scores["in_microsatellite"] < -2
    assert scores["in_microsatellite"] == scores.min()
    assert scores["cpg_transition"] > 0
    assert sorted(path.name for path in (work.folder / "d").glob("*.parquet")) == [
        "embeddings.parquet",
        "scores.parquet",
    ]
