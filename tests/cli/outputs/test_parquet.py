"""What a Parquet file's metadata hold."""

import hashlib
import json
import os
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.parquet import METADATA_KEY, bounded_checksums
from janusdna_cli.outputs.tables import open_table

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
