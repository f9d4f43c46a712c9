"""`--context tiled`: each tile is read once, and the table is in the file's order all the same."""

import json
import random

import numpy as np
import pyarrow.parquet as pq
import pytest

from janusdna_cli import ScoreSettings, score_variants
from janusdna_cli.genome.windows import tiled_window

SCORES = ["llr", "delta_pll", "emb_l2", "emb_cosine", "ref_logp", "alt_logp", "entropy"]
KEY = ["chrom", "pos", "ref", "alt"]
EVERYTHING = ("--scores", "llr,delta_pll,embedding")
TILED = ("--context", "tiled", "--window", 64, "--span", 8, *EVERYTHING)


@pytest.fixture
def crowd(work, bases):
    """Records of two contigs, of several kinds, in no order, some of them twice."""
    contigs = {"one": bases(700, seed=21), "two": bases(50, seed=22)}
    records = []
    for number in range(90):
        name = "two" if number % 6 == 0 else "one"
        pos = number * 53 % (len(contigs[name]) - 6) + 1
        ref = contigs[name][pos - 1 : pos + number % 3]
        alt = ("C" if ref[0] == "A" else "A") + ref[1:]
        records.append(f"{name} {pos} . {ref} {alt},{ref}G,<DEL>")
    records += random.Random(1).sample(records, 15)
    return records, work.fasta(**contigs), contigs


def rows_of(records):
    for record in records:
        chrom, pos, _, ref, alts = record.split()
        for alt in alts.split(","):
            yield chrom, int(pos), ref, alt


def test_rows_keep_the_order_of_an_unsorted_file_with_duplicates(work, crowd):
    records, fasta, _ = crowd
    table = work.score(work.vcf(*records), "-f", fasta, *TILED)
    assert list(table[KEY].itertuples(index=False, name=None)) == list(rows_of(records))
    assert set(table["status"]) == {"ok", "symbolic"}
    first = table.drop_duplicates(KEY)
    assert len(first) < len(table)
    again = table[KEY].merge(first, on=KEY)
    np.testing.assert_array_equal(table[SCORES], again[SCORES])


def test_a_score_depends_on_nothing_else_in_the_file(work, crowd):
    records, fasta, _ = crowd
    together = work.score(work.vcf(*records), "-f", fasta, *TILED)
    turned = work.score(work.vcf(*records[::-1]), "-f", fasta, *TILED, "--batch-bp", 64)
    turned = together[KEY].merge(turned.drop_duplicates(KEY), on=KEY)
    np.testing.assert_allclose(turned[SCORES], together[SCORES], rtol=0, atol=1e-5)
    alone = work.score(work.vcf(records[4]), "-f", fasta, *TILED)
    np.testing.assert_allclose(alone[SCORES], together[SCORES].iloc[12:15], rtol=0, atol=1e-5)


@pytest.mark.parametrize("scores", [None, ("llr",), ("llr", "delta_pll", "embedding")])
def test_each_tile_is_read_once_a_strand(work, crowd, scores):
    records, fasta, contigs = crowd
    settings = ScoreSettings(
        vcf=work.vcf(*records), fasta=fasta, output="out.tsv", model=str(work.model), window=64, span=8,
        scores=scores, context="tiled", quiet=True,
    )  # fmt: skip
    summary = score_variants(settings)
    # Substitutions stay where they are; an insertion of G after REF may move left out of its tile.
    sites = {(chrom, pos - 1) for chrom, pos, ref, _ in rows_of(records) for _ in ref}
    tiles = {tiled_window(chrom, at, 64, len(contigs[chrom])) for chrom, at in sites}
    table = work.score(settings.vcf, "-f", fasta, *TILED)
    used = table.dropna(subset=["window_start"])[["chrom", "window_start"]].drop_duplicates()
    assert summary.windows == 2 * len(used)
    assert len(used) <= len(tiles) + 2
    assert summary.bases == 2 * sum(min(64, len(contigs[chrom])) for chrom in used["chrom"])


def test_centered_windows_are_shared_where_they_coincide(work, bases):
    """Many ALTs at a site, and sites that come twice: a window each strand, ALT haplotypes included."""
    contig = bases(300, seed=23)
    sites = [(pos, contig[pos - 1]) for pos in (60, 150, 200)]
    alts = {base: ",".join(other for other in "ACGT" if other != base) for base in "ACGT"}
    records = [f"c {pos} . {ref} {alts[ref]}" for pos, ref in sites] * 2
    settings = ScoreSettings(
        vcf=work.vcf(*records), fasta=work.fasta(c=contig), output="out.tsv", model=str(work.model),
        window=64, scores=("llr", "delta_pll", "embedding"), quiet=True,
    )  # fmt: skip
    assert score_variants(settings).windows == 2 * len(sites)


def test_files_with_nothing_to_read(work, bases):
    fasta = work.fasta(c=bases(100, seed=24))
    assert len(work.score(work.vcf(), "-f", fasta, *TILED)) == 0
    table = work.score(work.vcf("c 10 . A <DEL>", "d 5 . A C", "c 3 . A <INS>"), "-f", fasta, *TILED)
    assert table["status"].tolist() == ["symbolic", "no_contig", "symbolic"]
    assert table["pos"].tolist() == [10, 5, 3]


def test_from_standard_input(work, crowd):
    records, fasta, _ = crowd
    path = work.vcf(*records)
    with open(path, "rb") as file:  # noqa: PTH123
        piped = work.score("-", "-f", fasta, *TILED, stdin=file.read())
    named = work.score(path, "-f", fasta, *TILED)
    np.testing.assert_array_equal(piped[SCORES], named[SCORES])


def test_the_table_says_how_windows_lay(work, crowd):
    records, fasta, _ = crowd
    work.score(work.vcf(*records[:2]), "-f", fasta, *TILED)
    metadata = json.loads(pq.read_metadata(work.folder / "out.parquet").metadata[b"janusdna"])
    assert metadata["context"] == "tiled"
    assert set(metadata["contig_md5"]) == {"one", "two"}


def test_a_context_that_does_not_exist(work, crowd):
    records, fasta, _ = crowd
    result = work.run("score-variants", work.vcf(*records[:1]), "-f", fasta, "--context", "striped")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'centered', 'tiled'" in result.stderr


def test_strict_stops_before_anything_is_read(work, crowd):
    records, fasta, _ = crowd
    result = work.run(
        "score-variants", work.vcf(*records), "-f", fasta, "-m", work.model, "--context", "tiled", "--strict"
    )
    assert result.exit_code == 1
    assert "is symbolic, and --strict allows ok only" in result.stderr
