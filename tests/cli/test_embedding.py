"""Embeddings against full readings, base by base."""

import numpy as np
import pyarrow.parquet as pq
import pytest

WINDOW = 16
EXACT = {"rtol": 2e-4, "atol": 2e-5}


def per_base(oracle, contig, start, end, window=WINDOW, strands=(0, 1)):
    """Each base's state, read in the window of those half a window apart where it has most context."""
    length = len(contig)
    if end - start <= window:
        starts = [(start + end) // 2 - window // 2]
    else:
        starts = list(range(start - window // 4, end + window, window // 2))
    clipped = sorted({max(0, min(at, length - window)) for at in starts})
    states = {at: oracle.hidden(contig[at : at + window])[list(strands)].mean(axis=0) for at in clipped}
    rows = []
    for t in range(start, end):
        around = [at for at in clipped if at <= t < min(at + window, length)]
        # Where two are equally good, the later one.
        best = max(around, key=lambda at: (min(t - at, min(at + window, length) - 1 - t), at))
        rows.append(states[best][t - best])
    return np.array(rows)


def stacked(column):
    return np.stack(column.to_numpy())


@pytest.fixture
def genome(bases):
    return bases(110, seed=31)


REGIONS = [
    (40, 50),
    (41, 50),
    (0, 5),
    (0, 1),
    (105, 110),
    (109, 110),
    (30, 46),
    (30, 47),
    (0, 110),
    (93, 110),
]


@pytest.mark.parametrize("window", [16, 17, 200])
def test_mean_max_and_none_against_full_readings(work, oracle, genome, window):
    fasta = work.fasta(c=genome)
    bed = work.bed(*(f"c {start} {end}" for start, end in REGIONS))
    wanted = [per_base(oracle, genome, start, end, window) for start, end in REGIONS]
    mean, highest, each = (
        work.embed(fasta, bed, "-w", window, "--pool", pool) for pool in ("mean", "max", "none")
    )
    np.testing.assert_allclose(stacked(mean["embedding"]), [w.mean(axis=0) for w in wanted], **EXACT)
    np.testing.assert_allclose(stacked(highest["embedding"]), [w.max(axis=0) for w in wanted], **EXACT)
    np.testing.assert_allclose(stacked(each["embedding"]), np.concatenate(wanted), **EXACT)
    assert each["pos"].tolist() == [t + 1 for start, end in REGIONS for t in range(start, end)]
    assert mean["n_bases"].tolist() == [end - start for start, end in REGIONS]


def test_center_is_the_base_in_the_middle(work, oracle, genome):
    bed = work.bed(*(f"c {start} {end}" for start, end in REGIONS))
    table = work.embed(work.fasta(c=genome), bed, "-w", WINDOW, "--pool", "center")
    middles = [(start + end) // 2 for start, end in REGIONS]
    wanted = [per_base(oracle, genome, at, at + 1)[0] for at in middles]
    np.testing.assert_allclose(stacked(table["embedding"]), wanted, **EXACT)
    assert table["n_bases"].eq(1).all()


def test_strand_aware(work, oracle, genome):
    fasta, bed = work.fasta(c=genome), work.bed("c 40 50 a 0 -", "c 40 50 b 0 +", "c 40 50 c 0 .")
    options = ["-w", WINDOW, "--no-rc"]
    forward, reverse = (per_base(oracle, genome, 40, 50, strands=[s]).mean(axis=0) for s in (0, 1))
    plain = work.embed(fasta, bed, *options)
    aware = work.embed(fasta, bed, *options, "--strand-aware")
    np.testing.assert_allclose(stacked(plain["embedding"]), [forward] * 3, **EXACT)
    np.testing.assert_allclose(stacked(aware["embedding"]), [reverse, forward, forward], **EXACT)
    assert np.abs(forward - reverse).max() > 1e-2


def test_what_cannot_be_read_has_its_row(work, oracle, genome):
    contig = genome[:50] + "NNNN" + genome[54:]
    fasta = work.fasta(c=contig, tiny="AC")
    bed = work.bed("c 5 5", "c 100 111", "x 1 2", "c 50 54", "tiny 0 2", "c 48 56", "c 5 9")
    table = work.embed(fasta, bed, "-w", WINDOW)
    statuses = ["empty", "out_of_contig", "no_contig", "non_acgt", "contig_too_short", "ok", "ok"]
    assert table["status"].tolist() == statuses
    assert table["embedding"].notna().tolist() == [status == "ok" for status in statuses]
    assert table["n_bases"].tolist() == [0, 0, 0, 0, 0, 4, 4]
    real = [0, 1, 6, 7]
    wanted = per_base(oracle, contig, 48, 56)[real].mean(axis=0)
    np.testing.assert_allclose(table["embedding"][5], wanted, **EXACT)


def test_columns_order_and_duplicates(work, genome):
    lines = ["chr1 9 20 b 7 + x", "chr1 2 8", "chr1 9 20 b 7 + x"]
    fasta, bed = work.fasta(**{"1": genome}), work.bed(*lines)
    table = work.embed(fasta, bed, "--keep-columns")
    assert table["start"].tolist() == [9, 2, 9]
    assert table["chrom"].eq("chr1").all()
    assert table["bed_7"].fillna("").tolist() == ["x", "", "x"]
    assert table["bed_5"].fillna("").tolist() == ["7", "", "7"]
    np.testing.assert_array_equal(table["embedding"][0], table["embedding"][2])
    assert "bed_4" not in work.embed(fasta, bed)
    piped = work.embed(fasta, "-", "--keep-columns", stdin=("\n".join(lines).replace(" ", "\t")).encode())
    assert piped.drop(columns="embedding").equals(table.drop(columns="embedding"))
    np.testing.assert_array_equal(stacked(piped["embedding"]), stacked(table["embedding"]))


def test_without_regions_every_record_is_read_whole(work, oracle, genome):
    table = work.embed(work.fasta(a=genome, b=genome[:10]), "-w", WINDOW)
    assert table[["chrom", "start", "end"]].to_numpy().tolist() == [["a", 0, 110], ["b", 0, 10]]
    wanted = [per_base(oracle, sequence, 0, len(sequence)).mean(axis=0) for sequence in (genome, genome[:10])]
    np.testing.assert_allclose(stacked(table["embedding"]), wanted, **EXACT)


def test_the_schema_has_a_fixed_size(work, genome):
    work.embed(work.fasta(c=genome), work.bed("c 1 5"))
    assert str(pq.read_schema(work.folder / "out.parquet").field("embedding").type).endswith("[16]")
