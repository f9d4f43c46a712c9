"""What a Parquet file's metadata hold, and where its row groups end."""

import hashlib
import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janusdna_cli.outputs import parquet
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.parquet import METADATA_KEY, bounded_checksums
from janusdna_cli.outputs.tables import as_table, open_table

SCHEMA = pa.schema([("a", pa.int64())])


def kept(path, metadata):
    with open_table(str(path), SCHEMA, Format.parquet, metadata=metadata) as table:
        table.write({"a": [1]})
    return json.loads(pq.read_metadata(path).metadata[METADATA_KEY.encode()])


def contigs(count):
    return {
        f"NODE_{i}_length_5000_cov_12.345678": hashlib.md5(str(i).encode()).hexdigest() for i in range(count)
    }


def test_checksums_of_a_genome_are_kept_one_by_one(tmp_path):
    checksums = contigs(9_999) | {"damaged": None}
    assert kept(tmp_path / "out.parquet", bounded_checksums(checksums)) == {"contig_md5": checksums}


def test_the_footer_of_a_run_over_a_million_contigs_can_be_read(tmp_path):
    checksums = contigs(1_400_000)
    found = kept(tmp_path / "out.parquet", bounded_checksums(checksums))
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 1
    assert (tmp_path / "out.parquet").stat().st_size < 2_000
    assert found["contig_md5"] is None
    assert (found["contigs_md5"]["contigs"], found["contigs_md5"]["unknown"]) == (1_400_000, 0)


def test_the_checksum_of_many_is_that_of_their_sorted_lines(tmp_path):
    checksums = dict(reversed(contigs(10_001).items())) | {"damaged": None, "\u03b1": "0" * 32}
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{name}\t{md5 or '.'}\n" for name, md5 in checksums.items()), "utf-8")
    by_hand = subprocess.run(
        f"LC_ALL=C sort {lines} | md5sum", shell=True, capture_output=True, text=True, check=True
    )
    assert bounded_checksums(checksums)["contigs_md5"] == {
        "contigs": 10_003,
        "unknown": 1,
        "md5": by_hand.stdout.split()[0],
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("caf\u00e9.fa", "caf\u00e9.fa"),
        (os.fsdecode(b"caf\xe9.fa"), "caf\ufffd.fa"),  # Latin-1
        (
            b"caf\xc3\xa9.fa".decode("ascii", "surrogateescape"),
            "caf\u00e9.fa",
        ),  # UTF-8 in a locale without it
    ],
)
def test_names_that_are_no_text_are_told_in_utf_8(tmp_path, name, told):
    assert kept(tmp_path / "out.parquet", {"reference": name, "command": ["x", name]}) == {
        "reference": told,
        "command": ["x", told],
    }


def rows_of_all_kinds(count, seed=3):
    draw = np.random.default_rng(seed)
    embeddings = draw.normal(size=(count, 5)).astype(np.float32)
    masked = np.ma.masked_array(embeddings, np.repeat(draw.random(count) < 0.2, 5).reshape(count, 5))
    schema = pa.schema(
        [
            ("number", pa.int64()),
            ("text", pa.string()),
            ("score", pa.float32()),
            ("half", pa.float16()),
            ("embedding", pa.list_(pa.float32(), 5)),
        ]
    )
    columns = {
        "number": np.arange(count),
        "text": [None if n % 7 == 0 else "ACGT" * int(draw.integers(0, 30)) for n in range(count)],
        "score": [None if n % 5 == 0 else float(n) for n in range(count)],
        "half": embeddings[:, 0].astype(np.float16),
        "embedding": masked,
    }
    return as_table(columns, schema)


def written(path, pieces, schema):
    with open_table(str(path), schema, Format.parquet, metadata={"version": "1"}) as table:
        for piece in pieces:
            table.write_table(piece)
    return path.read_bytes()


@pytest.mark.parametrize("limits", [(100, 1 << 20), (1_000, 2_000), (1_000, 50)])
def test_the_same_rows_are_the_same_bytes_in_whatever_pieces_they_come(tmp_path, monkeypatch, limits):
    """Else what was interrupted, or shared out, would be told from what was not."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", limits[0])
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", limits[1])
    table = rows_of_all_kinds(450)
    whole = written(tmp_path / "whole.parquet", [table], table.schema)
    draw = random.Random(5)
    for number in range(5):
        cuts = [0, *sorted(draw.choices(range(451), k=draw.randrange(1, 60))), 450]
        pieces = [table.slice(start, end - start) for start, end in itertools.pairwise(cuts)]
        # Some of them in several pieces of memory, and with more of it than they need.
        pieces = [pa.concat_tables([piece.slice(0, 3), piece.slice(3)]) for piece in pieces]
        assert written(tmp_path / f"{number}.parquet", pieces, table.schema) == whole
    assert pq.read_table(tmp_path / "whole.parquet").equals(table)
    groups = pq.read_metadata(tmp_path / "whole.parquet")
    sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
    assert sum(sizes) == 450
    assert len(sizes) > 4
    assert max(sizes) <= limits[0]


READ = """
import os, sys
import pyarrow as pa
from janusdna_cli.outputs.parquet_reading import ParquetReader

before = len(os.listdir("/proc/self/task"))
with open(sys.argv[1], "rb") as data:
    file = ParquetReader(data)
    rows = sum(len(group) for group in file.groups(["a", "b"]))
    print(rows, file.group(0).column_names, len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_no_thread_but_the_own_reads(tmp_path):
    """One of Arrow's that still holds the file when Python ends aborts the process, now and then."""
    table = pa.table({name: range(100_000) for name in "abc"})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=10_000)
    said = subprocess.check_output([sys.executable, "-c", READ, tmp_path / "in.parquet"], text=True)
    assert said == "100000 ['a', 'b', 'c'] 0\n"
