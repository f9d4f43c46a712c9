"""Embeddings against plain full readings of each base's window, pooled by hand."""

import gzip

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from janusdna_cli.reading import chunks

from ...networks import WIDTH

EXACT = {"rtol": 1e-4, "atol": 2e-5}
WINDOW = 64


def per_base(oracle, contig, start, end, size=WINDOW):
    """Hidden states of a region's bases by both strands, (2, n, d), each base where it has most context."""
    contig = contig.upper()
    fits = end - start <= size
    starts = [(start + end) // 2 - size // 2] if fits else range(start - size // 4, end, size // 2)
    clipped = sorted({max(0, min(at, len(contig) - size)) for at in starts})
    hidden = {lo: oracle.hidden(contig[lo : lo + size]) for lo in clipped}
    rows = []
    for base in range(start, end):
        within = [lo for lo in clipped if lo <= base < lo + size]
        # Where two are equally good, the later one.
        best = max(within, key=lambda lo: (min(base - lo, lo + size - 1 - base), lo))
        rows.append(hidden[best][:, base - best])
    return np.stack(rows, axis=1)


def real(contig, start, end):
    return np.array([base in "ACGTacgt" for base in contig[start:end]])


def embeddings(table):
    return np.stack(table["embedding"].to_list())


@pytest.fixture
def contig(bases):
    text = bases(300, seed=31)
    return text[:80] + "NNRNN" + text[85:120] + text[120:160].lower() + text[160:]


INSIDE = [(100, 140), (100, 141), (0, 20), (0, 1), (280, 300), (299, 300), (70, 95), (40, 104), (236, 300)]
LONG = [(100, 165), (0, 300), (0, 65), (235, 300), (5, 200), (90, 299), (60, 260)]


@pytest.mark.parametrize("size", [64, 63, 16, 17, 512])
@pytest.mark.parametrize(("pool", "plain"), [("mean", np.mean), ("max", np.max)])
def test_a_region_is_the_pool_of_its_bases(work, oracle, contig, pool, plain, size):
    bed = work.bed(*(f"c {start} {end}" for start, end in INSIDE + LONG))
    table = work.embed(work.fasta(c=contig), bed, "--pool", pool, "--window", size)
    assert (table["status"] == "ok").all()
    for (start, end), row in zip(INSIDE + LONG, table.to_dict("records"), strict=True):
        counted = real(contig, start, end)
        hidden = per_base(oracle, contig, start, end, size).mean(axis=0)[counted]
        assert (row["start"], row["end"], row["n_bases"]) == (start, end, counted.sum())
        np.testing.assert_allclose(row["embedding"], plain(hidden, axis=0), **EXACT)


def test_a_row_a_base(work, oracle, contig):
    regions = [(70, 95), (5, 200), (299, 300)]
    bed = work.bed(*(f"c {start} {end} r{start}" for start, end in regions))
    table = work.embed(work.fasta(c=contig), bed, "--pool", "none", "--window", WINDOW)
    positions = [base + 1 for start, end in regions for base in range(start, end)]
    assert table["pos"].tolist() == positions
    assert table["name"].tolist() == [f"r{start}" for start, end in regions for _ in range(start, end)]
    counted = real(contig, 0, len(contig))[np.array(positions) - 1]
    assert table["n_bases"].tolist() == counted.astype(int).tolist()
    assert table["status"].tolist() == np.where(counted, "ok", "non_acgt").tolist()
    assert table["embedding"].isna().tolist() == (~counted).tolist()
    hidden = np.concatenate([per_base(oracle, contig, *region).mean(axis=0) for region in regions])
    np.testing.assert_allclose(embeddings(table[counted]), hidden[counted], **EXACT)


def test_the_center_is_one_base_in_its_own_window(work, oracle, contig):
    regions = [(100, 140), (100, 141), (0, 300), (0, 1), (299, 300), (81, 84)]
    bed = work.bed(*(f"c {start} {end}" for start, end in regions))
    table = work.embed(work.fasta(c=contig), bed, "--pool", "center", "--window", WINDOW)
    assert table["n_bases"].tolist() == [1, 1, 1, 1, 1, 0]
    assert table["status"].tolist() == ["ok"] * 5 + ["non_acgt"]
    for (start, end), row in zip(regions[:5], table.to_dict("records"), strict=False):
        middle = (start + end) // 2
        wanted = per_base(oracle, contig, middle, middle + 1).mean(axis=0)[0]
        np.testing.assert_allclose(row["embedding"], wanted, **EXACT)


def test_a_contig_shorter_than_the_window_is_read_whole(work, oracle, bases):
    contig = bases(30, seed=32)
    table = work.embed(work.fasta(c=contig), work.bed("c 0 30", "c 29 30", "c 10 12"), "--window", 1024)
    hidden = oracle.hidden(contig).mean(axis=0)
    wanted = [hidden.mean(axis=0), hidden[29], hidden[10:12].mean(axis=0)]
    np.testing.assert_allclose(embeddings(table), wanted, **EXACT)


def test_strands(work, oracle, contig):
    fasta = work.fasta(c=contig)
    bed = work.bed("c 100 140 x 0 +", "c 100 140 x 0 -", "c 100 140 x 0 .", "c 60 260 x 0 -")
    hidden, long = per_base(oracle, contig, 100, 140).mean(axis=1), per_base(oracle, contig, 60, 260)[1]
    long = long[real(contig, 60, 260)].mean(axis=0)
    aware = work.embed(fasta, bed, "--no-rc", "--strand-aware")
    np.testing.assert_allclose(embeddings(aware), [hidden[0], hidden[1], hidden[0], long], **EXACT)
    unaware = work.embed(fasta, bed, "--no-rc")
    np.testing.assert_allclose(embeddings(unaware)[:3], [hidden[0]] * 3, **EXACT)
    both = work.embed(fasta, bed, "--strand-aware")
    np.testing.assert_allclose(embeddings(both)[:3], [hidden.mean(axis=0)] * 3, **EXACT)
    assert np.abs(hidden[0] - hidden[1]).max() > 1e-2
    assert both["strand"].tolist() == ["+", "-", ".", "-"]


def test_the_other_strand_of_the_genome_embeds_the_same(work, bases, revcomp):
    """Odd lengths: even ones have their middle on the other side of the middle."""
    contig = bases(301, seed=33)
    regions = [(100, 141), (3, 4), (280, 301)]
    bed = work.bed(*(f"c {start} {end}" for start, end in regions))
    mirrored = work.bed(*(f"c {301 - end} {301 - start}" for start, end in regions), name="mirror.bed")
    fasta, other = work.fasta(c=contig), work.fasta("mirror.fa", c=revcomp(contig))
    for pool in ("mean", "max", "center"):
        options = ["--window", 63, "--pool", pool]
        one, two = work.embed(fasta, bed, *options), work.embed(other, mirrored, *options)
        np.testing.assert_allclose(embeddings(one), embeddings(two), rtol=0, atol=1e-5)


STATUSES = [
    ("c 10 20", "ok"),
    ("c 80 85", "non_acgt"),
    ("c 10 10", "empty"),
    ("c 300 300", "empty"),
    ("c 290 301", "out_of_contig"),
    ("c 1000 2000", "out_of_contig"),
    ("d 10 20", "no_contig"),
    ("tiny 0 2", "contig_too_short"),
    ("chrc 10 20", "ok"),
]


@pytest.mark.parametrize("pool", ["mean", "max", "center", "none"])
def test_every_status(work, contig, pool):
    fasta = work.fasta(c=contig, tiny="AC")
    table = work.embed(fasta, work.bed(*(line for line, _ in STATUSES)), "--pool", pool)
    first = table.drop_duplicates(["chrom", "start", "end"])
    assert first["status"].tolist() == [status for _, status in STATUSES]
    assert (table["embedding"].notna() == (table["status"] == "ok")).all()
    assert first["chrom"].tolist() == [line.split()[0] for line, _ in STATUSES]
    assert (table.loc[table["status"] != "ok", "n_bases"] == 0).all()


@pytest.mark.parametrize(
    ("there", "asked", "hint"),
    [
        ("c", '"c"', "'\"c\"' is not in it, but 'c' is: write names the same way in both files"),
        (
            "NC_000017.11",
            "NC_000017.10",
            "'NC_000017.10' is not in it, but 'NC_000017.11' is: another version",
        ),
        ("c", "d", "'d' is not in it, it has names like 'c'"),
    ],
)
def test_regions_of_which_no_name_is_known_are_a_warning_to_the_quiet_too(work, contig, there, asked, hint):
    fasta, bed = work.fasta(**{there: contig}), work.bed(f"{asked} 0 9", f"{asked} 9 20")
    result = work.run("embed", fasta, bed, "-m", work.model, "--quiet", "-o", "x.tsv")
    assert (result.exit_code, result.stdout) == (0, "")
    lines = result.stderr.splitlines()
    assert lines[0].startswith(
        f"janusdna: warning: {bed}: 2 of its 2 regions lie on no contig of {fasta}: {hint}"
    )
    assert lines[1].startswith("janusdna: warning: 2 regions: 2 no_contig in ")
    assert len(lines) == 2
    known = work.run(
        "embed", fasta, work.bed(f"{there} 0 9", "d 0 9"), "-m", work.model, "--quiet", "-o", "y.tsv"
    )
    assert (known.exit_code, known.stderr) == (0, "")


def test_order_and_duplicates_of_the_bed_are_kept(work, contig):
    lines = [f"c {number * 53 % 200} {number * 53 % 200 + 30} r{number}" for number in range(40)]
    lines += lines[:5]
    table = work.embed(work.fasta(c=contig), work.bed(*lines), "--batch-bp", 200)
    assert [" ".join(map(str, row)) for row in table[["chrom", "start", "end", "name"]].to_numpy()] == lines
    np.testing.assert_allclose(embeddings(table)[40:], embeddings(table)[:5], rtol=0, atol=1e-5)
    alone = work.embed(work.fasta(c=contig), work.bed(*lines[3:4]))
    np.testing.assert_allclose(embeddings(alone), embeddings(table)[3:4], rtol=0, atol=1e-5)


def test_kept_columns(work, contig):
    bed = work.bed("c 10 20", "c 10 20 x 5 - 1 2", "c 10 20 y")
    table = work.embed(work.fasta(c=contig), bed, "--keep-columns")
    kept = [column for column in table if column.startswith("bed_")]
    assert kept == [f"bed_{number}" for number in range(4, 9)]
    rows = table[kept].astype(object).where(table[kept].notna(), None).to_numpy().tolist()
    assert rows == [[None] * 5, ["x", "5", "-", "1", "2"], ["y", None, None, None, None]]
    assert "bed_4" not in work.embed(work.fasta(c=contig), bed)


def test_kept_columns_of_a_region_of_many_chunks(work, contig, monkeypatch):
    """A chunk may complete no region: it has no row, of no column."""
    monkeypatch.setattr(chunks, "_CHUNK_ITEMS", 1)
    table = work.embed(work.fasta(c=contig), work.bed("c 0 300 x"), "--keep-columns", "--window", WINDOW)
    assert table["bed_4"].tolist() == ["x"]


def test_a_bed_on_stdin(work, contig):
    fasta = work.fasta(c=contig)
    lines = ["track name=x\r", "c 10 20 x\r", "", "c 30 40 y\r"]
    text = "\n".join(line.replace(" ", "\t") for line in lines).encode()
    expected = work.embed(fasta, work.bed("c 10 20 x", "c 30 40 y"))
    for data in (text, gzip.compress(text)):
        pd.testing.assert_frame_equal(work.embed(fasta, "-", stdin=data), expected)
    kept = work.embed(fasta, "-", "--keep-columns", stdin=text)
    assert kept["bed_4"].tolist() == ["x", "y"]


def test_kept_columns_on_stdin_need_the_widest_line_first(work, contig):
    arguments = [work.fasta(c=contig), "-", "-m", work.model, "--keep-columns", "-o", "x.parquet"]
    result = work.run("embed", *arguments, stdin=b"c\t1\t5\tx\nc\t1\t5\tx\t0\n")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "line 2: found 2 columns after the third, expected at most 1" in result.stderr


def test_without_regions_every_record_is_read_whole(work, oracle, bases):
    contigs = {"a": bases(150, seed=34), "b": bases(20, seed=35), "c": "AC", "d": "N" * 9}
    table = work.embed(work.fasta(**contigs), "--window", WINDOW)
    assert table["chrom"].tolist() == list(contigs)
    assert table["end"].tolist() == [150, 20, 2, 9]
    assert table["status"].tolist() == ["ok", "ok", "contig_too_short", "non_acgt"]
    for name in "ab":
        wanted = per_base(oracle, contigs[name], 0, len(contigs[name])).mean(axis=(0, 1))
        np.testing.assert_allclose(table.set_index("chrom")["embedding"][name], wanted, **EXACT)
    assert table["name"].isna().all()


@pytest.mark.parametrize("size", [3, 4, 5])
def test_tiny_windows_read_every_base_once(work, oracle, contig, size):
    regions = [(10, 20), (0, 7), (295, 300), (0, 1)]
    bed = work.bed(*(f"c {start} {end}" for start, end in regions))
    table = work.embed(work.fasta(c=contig), bed, "--window", size, "--pool", "none")
    assert table["pos"].tolist() == [base + 1 for start, end in regions for base in range(start, end)]
    wanted = per_base(oracle, contig, 0, 1, size).mean(axis=0)[0]
    np.testing.assert_allclose(table["embedding"].iloc[-1], wanted, **EXACT)


def test_the_schema_has_a_fixed_size(work, contig):
    work.embed(work.fasta(c=contig), work.bed("c 1 5"))
    kind = str(pq.read_schema(work.folder / "out.parquet").field("embedding").type)
    assert kind.endswith(f"[{WIDTH}]")
