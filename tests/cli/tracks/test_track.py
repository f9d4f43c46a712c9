"""Tracks against full readings, read back by another program; what a region may be."""

import gzip
import subprocess

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pybigtools
import pyBigWig
import pytest

from janusdna_cli.tracks.values import VALUES

from ..variants.test_scoring import start_of_window

WINDOW = 32


def contigs_of(bases):
    return {
        "two": bases(150, seed=1) + "NNN" + bases(40, seed=2).lower(),
        "ten": bases(90, seed=3) + "R" + bases(30, seed=4),
        "one": bases(20, seed=5),
        "short": "AC",
    }


def expected(oracle, contig, strands=(0, 1)):
    """Every value of every base, by definition, from full readings in float64 of the window it lies in."""
    contig = contig.upper()
    found = {name: np.full(len(contig), np.nan) for name in VALUES}
    for at, base in enumerate(contig):
        if base not in "ACGT":
            continue
        start = max(0, min(start_of_window(at, WINDOW, "tiled"), len(contig) - WINDOW))
        logp = oracle.logp(contig[start : start + WINDOW])[list(strands), at - start]
        own, p = "ACGT".index(base), np.exp(logp)
        found["logp"][at] = logp[:, own].mean()
        found["entropy"][at] = -(p * np.log2(p)).sum(axis=1).mean()
        found["p_ref"][at] = p[:, own].mean()
        for letter, name in enumerate(("p_A", "p_C", "p_G", "p_T")):
            found[name][at] = p[:, letter].mean()
    return found


@pytest.fixture
def fasta(work, bases):
    return work.fasta(**contigs_of(bases))


def track(work, *words):
    return work.table("track", *words, "-w", WINDOW)


@pytest.mark.parametrize("value", VALUES)
def test_values_against_full_readings(work, bases, oracle, fasta, value):
    table = track(work, fasta, "--value", value)
    for name, contig in contigs_of(bases).items():
        rows = table[table["chrom"] == name]
        if name == "short":
            assert list(rows["status"]) == ["contig_too_short"]
            continue
        assert list(rows["pos"]) == list(range(1, len(contig) + 1))
        wanted = expected(oracle, contig)[value]
        np.testing.assert_allclose(rows["value"], wanted, rtol=2e-5, atol=2e-6)
        assert list(rows["status"] == "ok") == list(~np.isnan(wanted))


def test_the_forward_strand_alone(work, bases, oracle, fasta):
    table = track(work, fasta, "-r", "one", "--value", "entropy", "--no-rc")
    wanted = expected(oracle, contigs_of(bases)["one"], strands=[0])["entropy"]
    np.testing.assert_allclose(table["value"], wanted, rtol=2e-5)


def test_a_value_does_not_depend_on_the_region(work, fasta):
    """Shifted and overlapping regions, whole contigs, batches of other windows: to the last digits."""
    whole = track(work, fasta).set_index(["chrom", "pos"])["value"]
    for words in (
        ["-r", "two:1-1"],
        ["-r", "two:41-80", "-r", "two:57-120", "-r", "two:193-193"],
        ["-r", "two:42-81", "-r", "ten:3-99"],
        ["-r", "two:100-193", "--batch-bp", 32],
    ):
        part = track(work, fasta, *words).set_index(["chrom", "pos"])["value"]
        assert part.index.is_unique
        np.testing.assert_allclose(part, whole[part.index], rtol=1e-6, atol=1e-6)


def test_regions_are_put_together_in_the_order_of_the_contigs(work, fasta):
    bed = work.bed("one 3 9", "two 50 60", "two 10 20", "two 15 30", "two 12 14", "two 60 61")
    table = track(work, fasta, "--regions", bed, "-r", "two:29-32")
    places = [("two", pos) for pos in [*range(11, 33), *range(51, 62)]] + [
        ("one", pos) for pos in range(4, 10)
    ]
    assert list(table[["chrom", "pos"]].itertuples(index=False, name=None)) == places


def test_regions_outside_have_a_line_each_and_are_counted(work, fasta):
    bed = work.bed("two 3 6", "chrX 5 9", "two 190 194", "one 2 2")
    result = work.run("track", fasta, "--regions", bed, "-w", WINDOW, "-m", work.model, "-o", "t.bedgraph")
    assert result.exit_code == 0
    told = [line.split("region from ")[1] for line in result.stderr.splitlines() if "is not read" in line]
    assert told == [
        "chrX:6 is not read: no_contig",
        "two:191 is not read: out_of_contig",
        "one:3 is not read: empty",
    ]
    assert "6 bases: 3 ok, 1 empty, 1 no_contig, 1 out_of_contig" in result.stderr
    assert len((work.folder / "t.bedgraph").read_text().splitlines()) == 3


@pytest.fixture
def words(work, fasta):
    """Regions with gaps in them, on contigs whose names are in another order than they are."""
    bed = work.bed("ten 80 100", "two 140 193", "two 20 70", "elsewhere 4 5", "one 0 20")
    return ["track", fasta, "--regions", bed, "-w", WINDOW, "--value", "entropy", "-q", "-m", work.model]


def values_of(work, words):
    table = work.table(*words[:-3])
    return table[table["value"].notna()]


@pytest.mark.parametrize("name", ["t.bw", "t.bigWig"])
def test_a_bigwig_is_read_back_by_other_programs(work, words, bases, name):
    wanted = values_of(work, words)
    assert work.run(*words, "-o", name).exit_code == 0
    lengths = {contig: len(text) for contig, text in contigs_of(bases).items()}
    with pyBigWig.open(name) as file:
        assert file.chroms() == lengths
        for contig, rows in wanted.groupby("chrom"):
            values = np.array(file.values(contig, 0, lengths[contig]))
            there = np.flatnonzero(~np.isnan(values))
            assert list(there + 1) == list(rows["pos"])
            np.testing.assert_array_equal(values[there].astype(np.float32), rows["value"])
        assert file.intervals("short") is None
    with pybigtools.open(name) as file:
        assert file.chroms() == lengths
        for contig, rows in wanted.groupby("chrom"):
            records = [(start + 1, np.float32(value)) for start, _, value in file.records(contig)]
            assert records == list(zip(rows["pos"], rows["value"], strict=True))


@pytest.mark.parametrize("name", ["t.bedgraph", "t.bedgraph.gz"])
def test_a_bedgraph_says_the_same(work, words, name):
    wanted = values_of(work, words)
    assert work.run(*words, "-o", name).exit_code == 0
    opened = gzip.open if name.endswith("gz") else open
    with opened(name, "rt") as file:
        lines = [line.split("\t") for line in file]
    assert [(chrom, int(start) + 1, int(end)) for chrom, start, end, _ in lines] == [
        (chrom, pos, pos) for chrom, pos in wanted[["chrom", "pos"]].itertuples(index=False)
    ]
    assert [np.float32(value) for *_, value in lines] == list(wanted["value"])
    if name.endswith("gz"):
        found = subprocess.run(["tabix", name, "two:151-160"], capture_output=True, text=True, check=True)
        assert [line.split()[2] for line in found.stdout.splitlines()] == [
            str(pos) for pos in range(154, 161)
        ]
    assert not any(work.folder.glob("*.part"))


@pytest.mark.parametrize("name", ["t.bw", "t.bedgraph", "t.parquet"])
def test_shards_are_merged_to_what_one_run_writes(work, words, name):
    words += ["--batch-bp", 64]
    assert work.run(*words, "-o", f"whole-{name}").exit_code == 0
    for shard in ("1/3", "2/3", "3/3"):
        assert work.run(*words, "--shard", shard, "-o", "parts").exit_code == 0
    merged = work.run("merge", "parts", "-o", name)
    assert merged.exit_code == 0, merged.output
    if name == "t.parquet":
        pd.testing.assert_frame_equal(pd.read_parquet(name), pd.read_parquet(f"whole-{name}"))
        return
    assert (work.folder / name).read_bytes() == (work.folder / f"whole-{name}").read_bytes()


def test_merging_to_a_bigwig_needs_the_genome(work, words, fasta):
    for shard in ("1/2", "2/2"):
        work.run(*words, "--shard", shard, "-o", "parts")
    work.fasta(two="ACGT")
    result = work.run("merge", "parts", "-o", "t.bw")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        f"janusdna: error: {fasta}: has other contigs than the genome that the parts were read from"
        in result.stderr
    )


def test_a_bigwig_goes_to_a_file(work, fasta):
    result = work.run("track", fasta, "-r", "one", "-m", work.model, "-o", "-", "--format", "bigwig")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "-: bigwig cannot be written to a pipe or a device; name a file" in result.stderr


def test_a_track_of_unknown_bases_is_empty(work, fasta):
    words = ["track", fasta, "-r", "two:151-153", "-w", WINDOW, "-m", work.model]
    for name in ("t.bw", "t.bedgraph"):
        result = work.run(*words, "-o", name)
        assert "warning: 3 bases: 3 non_acgt" in result.stderr
    assert (work.folder / "t.bedgraph").read_text() == ""
    with pyBigWig.open("t.bw") as file:
        assert file.intervals("two") is None


def test_metadata_say_which_value(work, fasta):
    track(work, fasta, "-r", "one", "--value", "p_G")
    found = pq.ParquetFile(work.folder / "out.parquet")
    assert b'"value": "p_G"' in found.metadata.metadata[b"janusdna"]
    assert found.schema_arrow.field("value").metadata[b"meaning"] == b"probability of G"


def test_a_stream_is_a_table(work, fasta):
    result = work.run("track", fasta, "-r", "one:3-5", "-w", WINDOW, "-q", "-m", work.model, "-o", "-")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[:2] for line in lines] == [["chrom", "pos"], ["one", "3"], ["one", "4"], ["one", "5"]]
    streamed = work.run(
        "track", fasta, "--regions", "-", "-w", WINDOW, "-q", "-m", work.model, "-o", "-",
        "--format", "bedgraph", stdin=b"one\t2\t5\n",
    )  # fmt: skip
    assert [line.split("\t") for line in streamed.stdout.splitlines()] == [
        ["one", str(int(pos) - 1), pos, value] for _, pos, value, _ in lines[1:]
    ]
