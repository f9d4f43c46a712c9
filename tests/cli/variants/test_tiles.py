"""`--context tiled`: each tile is read once, and the table is in the file's order all the same."""

import json
import random

import numpy as np
import pyarrow.parquet as pq
import pytest

from janusdna_cli import ScoreSettings, score_variants
from janusdna_cli.errors import InputError
from janusdna_cli.genome.alleles import Status
from janusdna_cli.genome.variant import Variant
from janusdna_cli.genome.windows import Window, tiled_window
from janusdna_cli.variants import tiles as tiles_module
from janusdna_cli.variants.plan import PlannedAllele
from janusdna_cli.variants.tiles import Tiles

SCORES = ["llr", "delta_pll", "emb_l2", "emb_cosine", "ref_logp", "alt_logp", "entropy"]
KEY = ["chrom", "pos", "ref", "alt"]
EVERYTHING = ("--scores", "llr,delta_pll,embedding")
TILED = ("--context", "tiled", "--window", 64, "--span", 8, *EVERYTHING)


def row(name, tile=None):
    """A row to be read in a tile, a contig and a start; or one that none is read for."""
    window = tile and Window(*tile, tile[1] + 64)
    return PlannedAllele(Variant("1", 1, name, "A", ("C",)), "C", Status.ok, None, window)


def grouped(rows):
    """The names of rows by tile, numbered."""
    with Tiles() as tiles:
        tiles.fill(rows)
        found = list(tiles)
        assert list(tiles) == found  # again, as often as they are asked for
    return [[(number, each.variant.id) for number, each in group] for group in found]


def test_tiles_come_in_the_order_of_their_first_rows():
    rows = [
        row("a", ("2", 5)),
        row("b", ("1", 5)),
        row("c", ("2", 5)),
        row("d"),
        row("e", ("1", 0)),
        row("f", ("1", 5)),
    ]
    assert grouped(rows) == [[(0, "a"), (2, "c")], [(1, "b"), (5, "f")], [(3, "d")], [(4, "e")]]


def test_tiles_are_told_apart_by_contig_and_start():
    rows = [row("x", ("1", 10)), row("y", ("11", 0)), row("z", ("1", 1))]
    assert grouped(rows) == [[(0, "x")], [(1, "y")], [(2, "z")]]


def test_no_rows_no_tiles():
    assert grouped([]) == []


def test_rows_that_nothing_is_read_for_come_some_at_once(monkeypatch):
    """Else a file of a million of them would be one piece of work."""
    monkeypatch.setattr(tiles_module, "_ROWS_AT_ONCE", 3)
    rows = [*(row(f"{n}") for n in range(8)), row("t", ("1", 0)), row("8"), row("t", ("1", 0)), row("9")]
    names = [[name for _, name in group] for group in grouped(rows)]
    assert names == [["0", "1", "2"], ["3", "4", "5"], ["6", "7"], ["t", "t"], ["8", "9"]]


def test_a_row_comes_out_as_it_went_in():
    variant = Variant("chr\u03b1", 2**33, None, "ACGT" * 300, ("<DEL>", "*", "."), b"\x00\xff line")
    rows = [PlannedAllele(variant, alt, Status.symbolic) for alt in variant.alts]
    with Tiles() as tiles:
        tiles.fill(rows)
        assert [each for group in tiles for each in group] == list(enumerate(rows))


def test_thousands_of_rows_in_shuffled_tiles():
    draw = random.Random(0)
    of = [None if draw.random() < 0.1 else (str(draw.randrange(5)), draw.randrange(40)) for _ in range(5000)]
    groups = grouped(row(str(number), tile) for number, tile in enumerate(of))
    numbers = [number for group in groups for number, _ in group]
    assert sorted(numbers) == list(range(5000))
    assert all(name == str(number) for group in groups for number, name in group)
    tiles = [{of[number] for number, _ in group} for group in groups]
    assert all(len(tile) == 1 for tile in tiles)
    assert all([number for number, _ in group] == sorted(number for number, _ in group) for group in groups)
    # Each tile once, in the order of their first rows.
    read = [tile.pop() for tile in tiles if tile != {None}]
    assert read == list(dict.fromkeys(tile for tile in of if tile is not None))


def test_rows_are_neither_searched_for_nor_sorted():
    """Else the work before the first tile grows as the square of the rows, or keeps them in memory."""
    with Tiles() as tiles:
        tiles.fill(row(str(number), ("1", number % 7)) for number in range(100))
        query = f"EXPLAIN QUERY PLAN {tiles_module._BY_TILE}"
        steps = [step for *_, step in tiles._database.execute(query)]
    assert steps
    assert not [step for step in steps if "TEMP B-TREE" in step or "AUTOMATIC" in step]
    assert all("USING INDEX by_tile" in step for step in steps)


def test_a_full_disk_is_the_users_to_know():
    with Tiles() as tiles:
        tiles._database.execute("PRAGMA max_page_count = 20")
        with pytest.raises(InputError, match=r"temporary database: .*full; .*TMPDIR"):
            tiles.fill(row("x" * 1000, ("1", number)) for number in range(1000))


def test_a_disk_that_is_full_when_the_rows_are_put_in_order():
    with Tiles() as tiles:
        execute = tiles._database.execute

        def no_room_for_an_index(*arguments):
            if arguments == (tiles_module._INDEX,):
                [[pages]] = execute("PRAGMA page_count")
                execute(f"PRAGMA max_page_count = {pages + 1}")
            return execute(*arguments)

        class Database:
            executemany = staticmethod(tiles._database.executemany)
            execute = staticmethod(no_room_for_an_index)
            close = staticmethod(tiles._database.close)

        tiles._database = Database
        with pytest.raises(InputError, match=r"temporary database: .*full; .*TMPDIR"):
            tiles.fill(row(str(number), ("1", number)) for number in range(10_000))


def test_a_disk_that_is_full_when_rows_come_out():
    """A table that is gone stands for it: the error is of the same class, at the same place."""
    with Tiles() as tiles:
        tiles.fill([row("a", ("1", 0)), row("b")])
        tiles._database.execute("DROP TABLE rows")
        with pytest.raises(InputError, match=r"temporary database: .*; .*TMPDIR"):
            list(tiles)


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
