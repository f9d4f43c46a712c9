"""Indexes beside bgzipped tables: made where the rows are sorted, never beside a file they do not fit."""

import logging
import shutil
import subprocess

import numpy as np
import pyarrow as pa
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.formats import Format, table_format
from janusdna_cli.outputs.indexes import Index
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.regions.table import embedding_schema

from ..made_up_scores import made_up_scores, write_annotated
from .said import said_by_htslib

needs_tabix = pytest.mark.skipif(not shutil.which("tabix"), reason="tabix is not installed")

PLACES = pa.schema([("chrom", pa.string()), ("pos", pa.int64()), ("x", pa.float32())])
REGIONS = embedding_schema(2)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_places(path, places, *, at_once=100, **options):
    with open_table(str(path), PLACES, table_format(str(path)), **options) as table:
        for first in range(0, len(places), at_once):
            chroms, positions = zip(*places[first : first + at_once], strict=True)
            table.write({"chrom": list(chroms), "pos": list(positions), "x": [0.5] * len(chroms)})


def tabix(path, region):
    done = subprocess.run(["tabix", path, region], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return [tuple(line.split("\t")[:3]) for line in done.stdout.splitlines()]


@needs_tabix
def test_a_table_of_variants_by_region(tmp_path):
    path = tmp_path / "out.tsv.gz"
    write_places(path, [("b", 1), ("b", 7), ("b", 7), ("a", 3), ("a", 100_000), ("c", 9)], at_once=2)
    assert names(tmp_path) == ["out.tsv.gz", "out.tsv.gz.tbi"]
    assert [place[1] for place in tabix(path, "b:2-7")] == ["7", "7"]
    assert tabix(path, "b:8-9") == []
    assert [place[1] for place in tabix(path, "a:4-100000")] == ["100000"]


@needs_tabix
def test_a_table_of_regions_by_region(tmp_path):
    """BED's coordinates: 0-based, the end is not in it."""
    path = tmp_path / "out.tsv.gz"
    starts, ends = [0, 10, 10, 20], [10, 20, 30, 21]
    row = {"chrom": ["c"] * 4, "start": starts, "end": ends, "name": [None] * 4, "strand": ["+"] * 4}
    row |= {"n_bases": [1] * 4, "status": ["ok"] * 4, "embedding": np.zeros((4, 2), np.float32)}
    with open_table(str(path), REGIONS, Format.tsv) as table:
        table.write(row)
    assert tabix(path, "c:10-10") == [("c", "0", "10")]
    assert tabix(path, "c:11-11") == [("c", "10", "20"), ("c", "10", "30")]
    assert tabix(path, "c:21-21") == [("c", "10", "30"), ("c", "20", "21")]


@pytest.mark.parametrize(
    ("places", "is_sorted"),
    [
        ([("a", 1), ("a", 1), ("b", 1), ("a2", 5)], True),
        ([("a", 2), ("a", 1)], False),
        ([("a", 1), ("b", 1), ("a", 2)], False),
        ([("a", 1), ("b", 2), ("b", 1), ("c", 1)], False),
        ([], True),
    ],
)
@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_sorted_is_what_has_contigs_in_blocks_and_positions_that_do_not_go_back(
    tmp_path, caplog, places, is_sorted, at_once
):
    with caplog.at_level(logging.INFO, "janusdna_cli"):
        write_places(tmp_path / "out.tsv.gz", places, at_once=at_once)
    assert names(tmp_path) == ["out.tsv.gz", *(["out.tsv.gz.tbi"] if is_sorted else [])]
    told = [(record.levelname, record.message) for record in caplog.records]
    why = f"{tmp_path}/out.tsv.gz: its rows are not sorted by contig and position, so it has no index"
    assert told == ([] if is_sorted else [("INFO", why)])


def test_sorted_is_what_brute_force_says():
    rng = np.random.default_rng(5)
    for _ in range(300):
        rows = [(str(rng.integers(3)), int(rng.integers(4))) for _ in range(rng.integers(1, 7))]
        if rng.random() < 0.5:
            rows.sort()
        index = Index(Format.tsv, PLACES)
        cut = int(rng.integers(len(rows) + 1))
        for part in filter(None, (rows[:cut], rows[cut:])):
            index.add(pa.table({"chrom": [chrom for chrom, _ in part], "pos": [pos for _, pos in part]}))
        order = list(dict.fromkeys(chrom for chrom, _ in rows))
        assert index._is_sorted == (rows == sorted(rows, key=lambda row: (order.index(row[0]), row[1])))


@needs_tabix
def test_beyond_the_reach_of_tbi_it_is_csi(tmp_path):
    path = tmp_path / "out.tsv.gz"
    write_places(path, [("a", 5), ("a", 2**29 + 5)])
    assert names(tmp_path) == ["out.tsv.gz", "out.tsv.gz.csi"]
    assert [place[1] for place in tabix(path, f"a:{2**29}-{2**29 + 9}")] == [str(2**29 + 5)]


VCF = b'##fileformat=VCFv4.2\n##INFO=<ID=END,Number=1,Type=Integer,Description="e">\n##contig=<ID=1>\n'
COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.mark.parametrize(
    ("record", "index"),
    [
        (b"1\t5\t.\tA\tG\t.\t.\t.\n", ["tbi"]),
        (b"1\t5\t.\tA\t<DEL>\t.\t.\tEND=600000000\n", ["csi"]),  # only htslib looks at END
        (b"1\t0\t.\tA\tG\t.\t.\t.\n", ["tbi"]),
        (b"1\t900000000000000\t.\tA\tG\t.\t.\t.\n", []),
        (b"", ["tbi"]),
    ],
)
def test_an_index_is_what_htslib_can_make(tmp_path, caplog, capfd, record, index):
    source = tmp_path / "in.vcf"
    source.write_bytes(VCF + COLUMNS + record)
    write_annotated(made_up_scores(source), source, tmp_path / "out.vcf.gz")
    assert names(tmp_path) == ["in.vcf", "out.vcf.gz", *(f"out.vcf.gz.{suffix}" for suffix in index)]
    assert said_by_htslib(capfd) == []
    told = f"{tmp_path}/out.vcf.gz: htslib cannot index it; it is complete without"
    assert [record.message for record in caplog.records] == ([] if index else [told])


def test_an_old_index_never_stands_beside_a_new_file(tmp_path):
    path = tmp_path / "out.tsv.gz"
    for old in ("out.tsv.gz.tbi", "out.tsv.gz.csi"):
        write_places(path, [("a", 1)], overwrite=True)
        (tmp_path / old).write_bytes(b"old")
        write_places(path, [("a", 2), ("a", 1)], overwrite=True)
        assert names(tmp_path) == ["out.tsv.gz"]
    link = tmp_path / "link.tsv.gz"
    link.symlink_to(path)
    (tmp_path / "link.tsv.gz.tbi").write_bytes(b"old")
    write_places(link, [("a", 1)], overwrite=True)
    assert names(tmp_path) == ["link.tsv.gz", "out.tsv.gz", "out.tsv.gz.tbi"]


def test_an_index_without_its_file_is_an_error_before_the_work(tmp_path):
    (tmp_path / "out.tsv.gz.tbi").write_bytes(b"old")
    with pytest.raises(InputError, match=r"out\.tsv\.gz: an index of that name, out\.tsv\.gz\.tbi, is there"):
        write_places(tmp_path / "out.tsv.gz", [("a", 1)])
    assert names(tmp_path) == ["out.tsv.gz.tbi"]
    write_places(tmp_path / "out.tsv.gz", [("a", 1), ("a", 0)], overwrite=True)
    assert names(tmp_path) == ["out.tsv.gz"]


def test_an_error_leaves_the_old_file_with_its_index(tmp_path):
    path = tmp_path / "out.tsv.gz"
    write_places(path, [("a", 1)])
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(ValueError, match="boom"), open_table(str(path), PLACES, Format.tsv, overwrite=True):
        raise ValueError("boom")
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


@pytest.mark.parametrize("length", [240, 247, 248])
def test_long_names_have_an_index_as_far_as_names_go(tmp_path, length):
    name = "x" * length + ".tsv.gz"
    write_places(tmp_path / name, [("a", 1)])
    assert names(tmp_path) == [name, *([f"{name}.tbi"] if len(name) + 4 <= 255 else [])]


@pytest.mark.parametrize("name", ["out.tsv", "out.parquet"])
def test_what_is_not_bgzipped_has_no_index(tmp_path, name):
    write_places(tmp_path / name, [("a", 1)])
    assert names(tmp_path) == [name]
