import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pysam
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.outputs import parquet, tables
from janusdna_cli.outputs.formats import TABLES, VARIANTS, Format, table_format
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.regions.table import embedding_schema
from janusdna_cli.variants.table import VARIANT_SCHEMA

SCORES = [field.name for field in VARIANT_SCHEMA if field.type == pa.float32()]
SMALL = pa.schema([("a", pa.int64()), ("b", pa.string())])


def variants(n, seed=0):
    rng = np.random.default_rng(seed)
    columns = {name: rng.standard_normal(n).astype(np.float32) for name in SCORES}
    columns["llr"] = np.ma.masked_array(columns["llr"], np.arange(n) % 3 == 1)
    columns |= {"chrom": ["chr1"] * n, "pos": np.arange(1, n + 1), "id": [None] * n, "ref": ["A"] * n}
    columns |= {"alt": ["<DEL>"] * n, "status": ["ok"] * n}
    columns |= {"window_start": [None, *range(1, n)], "window_end": np.arange(n) + 64}
    return columns


def small(rows):
    return {"a": list(range(rows)), "b": [None if i % 2 else f"x{i}" for i in range(rows)]}


def write(path, schema, columns, **options):
    with open_table(str(path), schema, table_format(str(path)), **options) as table:
        table.write(columns)


def parsed(path, schema=VARIANT_SCHEMA):
    dtypes = {f.name: "float32" if pa.types.is_float32(f.type) else "Int64" for f in schema}
    dtypes |= {f.name: "str" for f in schema if pa.types.is_string(f.type)}
    return pd.read_csv(path, sep="\t", na_values=["."], dtype=dtypes)


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("a.parquet", "parquet"),
        ("A.PARQUET", "parquet"),
        ("a.tsv", "tsv"),
        ("a.b.tsv.gz", "tsv"),
        ("-", "tsv"),
        ("a.vcf", "vcf"),
        ("a.VCF.GZ", "vcf"),
        ("a.bcf", "bcf"),
    ],
)
def test_format_by_suffix(destination, expected):
    assert table_format(destination, formats=VARIANTS) == expected


def test_format_override_and_stdout_default():
    assert table_format("a.txt", Format.parquet) is Format.parquet
    assert table_format("-", stdout_default=Format.parquet) is Format.parquet


@pytest.mark.parametrize("destination", ["a.csv", "parquet", "a.gz"])
@pytest.mark.parametrize(
    ("formats", "named"),
    [
        (TABLES, r"one of \.parquet, \.tsv, \.tsv\.gz, or pass --format parquet\|tsv$"),
        (VARIANTS, r"\.tsv\.gz, \.vcf, \.vcf\.gz, \.bcf, or pass --format parquet\|tsv\|vcf\|bcf$"),
    ],
)
def test_unknown_suffix(destination, formats, named):
    with pytest.raises(InputError, match=named) as caught:
        table_format(destination, formats=formats)
    assert destination in str(caught.value)


@pytest.mark.parametrize("destination", ["a.vcf", "a.vcf.gz", "a.bcf"])
def test_regions_are_no_records(destination):
    with pytest.raises(InputError, match=r"names no format of this table; use one of \.parquet, \.tsv"):
        table_format(destination)


def test_embedding_schema():
    names = ["chrom", "start", "end", "name", "strand", "n_bases", "status", "embedding"]
    assert embedding_schema(8).names == names
    per_base = embedding_schema(8, per_base=True, extra_columns=2)
    assert per_base.names == [*names[:5], "pos", *names[5:7], "bed_4", "bed_5", "embedding"]
    assert b"1-based" in per_base.field("pos").metadata[b"meaning"]
    assert per_base.field("embedding").type == pa.list_(pa.float32(), 8)


def test_parquet_round_trip(tmp_path):
    path = tmp_path / "out.parquet"
    write(path, VARIANT_SCHEMA, variants(10))
    table = pq.read_table(path)
    assert table.schema == VARIANT_SCHEMA
    assert table["llr"].null_count == 3
    assert table["window_start"].to_pylist() == [None, *range(1, 10)]
    assert table["entropy"].to_numpy().tolist() == variants(10)["entropy"].tolist()
    assert pq.ParquetFile(path).metadata.row_group(0).column(1).compression == "ZSTD"


@pytest.mark.parametrize("name", ["out.tsv", "out.tsv.gz"])
def test_tsv_equals_parquet(tmp_path, name):
    columns = variants(20_000)
    write(tmp_path / "out.parquet", VARIANT_SCHEMA, columns)
    write(tmp_path / name, VARIANT_SCHEMA, columns)
    found, expected = parsed(tmp_path / name), pd.read_parquet(tmp_path / "out.parquet")
    assert list(found.columns) == VARIANT_SCHEMA.names
    for score in SCORES:
        np.testing.assert_array_equal(found[score], expected[score])
    assert found["window_start"].tolist()[1:] == list(range(1, 20_000))
    assert found["id"].isna().all()
    assert (found["alt"] == "<DEL>").all()


def test_tsv_text(tmp_path):
    path = tmp_path / "out.tsv"
    schema = embedding_schema(2)
    row = {"chrom": ["c"] * 2, "start": [0, 1], "end": [5, 6], "name": ['a "b"', None], "strand": [None, "-"]}
    row |= {"n_bases": [5, 0], "status": ["ok", "no_contig"]}
    write(path, schema, row | {"embedding": [np.array([0.1, 1e-30], np.float32), None]})
    assert path.read_text().splitlines() == [
        "chrom\tstart\tend\tname\tstrand\tn_bases\tstatus\tembedding",
        'c\t0\t5\ta "b"\t.\t5\tok\t0.1,1e-30',
        "c\t1\t6\t.\t-\t0\tno_contig\t.",
    ]


def test_tsv_gz_is_bgzf(tmp_path):
    path = tmp_path / "out.tsv.gz"
    write(path, VARIANT_SCHEMA, variants(5_000))
    with pysam.TabixFile(str(path)) as indexed:
        assert [line.split("\t")[1] for line in indexed.fetch("chr1", 4_000, 4_002)] == ["4001", "4002"]


LONG = pa.schema([("ref", pa.string()), ("alt", pa.string()), ("x", pa.float32())])


def long_alleles(lengths):
    refs, alts = (["ACGT"[i % 4] * length for i, length in enumerate(lengths, start)] for start in (0, 1))
    return {"ref": refs, "alt": alts, "x": np.arange(len(lengths), dtype=np.float32)}


@pytest.mark.parametrize("chosen", TABLES)
def test_long_alleles_are_copied_a_few_at_a_time(tmp_path, monkeypatch, chosen):
    monkeypatch.setattr(tables, "_PIECE_BYTES", 2**20)
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 4 * 2**20)
    lengths = [1, 2 * 2**20, *[50_000] * 400, 3]
    columns = long_alleles(lengths)
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    try:
        write(tmp_path / f"out.{chosen}", LONG, columns)
    finally:
        pa.set_memory_pool(before)
    given = 2 * sum(lengths)
    assert pool.max_memory() < given + 20 * 2**20  # the longest row, as text, and what is around it
    found = tmp_path / f"out.{chosen}"
    rows = pd.read_csv(found, sep="\t") if chosen is Format.tsv else pd.read_parquet(found)
    assert rows["ref"].tolist() == columns["ref"]
    assert rows["alt"].tolist() == columns["alt"]


@pytest.mark.parametrize("sizes", [[1], [5, 100, 5], [100] * 50, [0] * 9, [1, 1, 1, 90, 1, 1]])
def test_pieces(monkeypatch, sizes):
    monkeypatch.setattr(tables, "_PIECE_ROWS", 8)
    monkeypatch.setattr(tables, "_PIECE_BYTES", 150)
    table = pa.table({"text": pa.array(["x" * size for size in sizes])})
    pieces = list(tables._pieces(table))
    assert pa.concat_tables(pieces).equals(table)
    assert all(piece.num_rows == 1 or (piece.num_rows <= 8 and piece.nbytes <= 150) for piece in pieces)


def test_no_piece_as_text_comes_near_the_limits_of_arrow():
    # Longest texts: of an int64 20 characters, of a float32 15; a null of a bit is two, with its tab.
    growth = max(21 / 8, 16 / 4, 16)
    assert tables._PIECE_BYTES * growth < 2**31 - 1
    assert parquet.ROW_GROUP_BYTES + tables._PIECE_BYTES < 2**31 - 1


@pytest.mark.parametrize("d", [1, 3, 128])
def test_embeddings_as_array_masked_array_and_list(tmp_path, d):
    values = np.random.default_rng(d).standard_normal((4, d)).astype(np.float32)
    masked = np.ma.masked_array(values, np.zeros((4, d), bool))
    masked[2] = np.ma.masked
    schema = pa.schema([("embedding", pa.list_(pa.float32(), d))])
    for given in (values, masked, [values[0], values[1], None, values[3]]):
        path = tmp_path / "out.parquet"
        write(path, schema, {"embedding": given}, overwrite=True)
        found = pq.read_table(path)["embedding"].to_pylist()
        assert found[1] == values[1].tolist()
        assert found[3] == values[3].tolist()
        assert (found[2] is None) == (given is not values)


def test_arrays_may_be_filled_again(tmp_path):
    path = tmp_path / "out.parquet"
    schema = pa.schema([("a", pa.int64()), ("e", pa.list_(pa.float32(), 2))])
    a, e = np.zeros(1, np.int64), np.zeros((1, 2), np.float32)
    with open_table(str(path), schema, Format.parquet) as table:
        for i in range(3):
            a[:], e[:] = i, i
            table.write({"a": a, "e": e})
    assert pq.read_table(path).to_pylist() == [{"a": i, "e": [i, i]} for i in range(3)]


def test_nan_is_not_null(tmp_path):
    path = tmp_path / "out.tsv"
    write(path, pa.schema([("x", pa.float32())]), {"x": np.array([np.nan, np.inf, 1], np.float32)})
    assert path.read_text() == "x\nnan\ninf\n1\n"


def test_wrong_columns(tmp_path):
    with pytest.raises(ValueError, match=r"found columns \['a'\], expected \['a', 'b'\]"):
        write(tmp_path / "out.tsv", SMALL, {"a": [1]})
    with pytest.raises(ValueError, match="found rows of 3 values, expected 2"):
        write(tmp_path / "out.tsv", pa.schema([("e", pa.list_(pa.float32(), 2))]), {"e": np.zeros((1, 3))})


@pytest.mark.parametrize("name", ["out.parquet", "out.tsv", "out.tsv.gz"])
def test_empty_table(tmp_path, name):
    path = tmp_path / name
    with open_table(str(path), SMALL, table_format(name)) as table:
        assert table.rows == 0
    if name == "out.parquet":
        assert pq.read_table(path).schema == SMALL
    else:
        assert list(pd.read_csv(path, sep="\t").columns) == ["a", "b"]


def test_row_groups_by_rows(tmp_path):
    path = tmp_path / "out.parquet"
    with open_table(str(path), SMALL, Format.parquet) as table:
        for size in (70_000, 1, 61_070, 10_000):
            table.write(small(size))
        assert table.rows == 141_071
    groups = pq.ParquetFile(path).metadata
    sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
    assert sizes == [65_536, 65_536, 9_999]
    assert pq.read_table(path)["a"][70_000].as_py() == 0


def test_row_groups_by_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 4_096)
    path = tmp_path / "out.parquet"
    write(path, pa.schema([("e", pa.list_(pa.float32(), 64))]), {"e": np.zeros((100, 64), np.float32)})
    groups = pq.ParquetFile(path).metadata
    assert max(groups.row_group(i).num_rows for i in range(groups.num_row_groups)) <= 4_096 // 256
    assert groups.num_rows == 100


def test_metadata_is_asked_for_at_the_end(tmp_path):
    path, contigs = tmp_path / "out.parquet", {}
    with open_table(str(path), SMALL, Format.parquet, metadata=lambda: {"contigs": contigs}) as table:
        table.write(small(3))
        contigs["chr1"] = "md5"
    assert json.loads(pq.ParquetFile(path).metadata.metadata[b"janusdna"]) == {"contigs": {"chr1": "md5"}}


@pytest.mark.parametrize("name", ["out.parquet", "out.tsv", "out.tsv.gz"])
def test_an_exception_leaves_nothing(tmp_path, name):
    destination = tmp_path / name

    def interrupted():
        with open_table(str(destination), SMALL, table_format(name)) as table:
            table.write(small(100_000))
            assert not destination.exists()
            assert [path.name.startswith(f".{name}.") for path in tmp_path.iterdir()] == [True]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_an_exception_in_metadata_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write(tmp_path / "out.parquet", SMALL, small(1), metadata={"not JSON": object()})
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_survives_a_failed_overwrite(tmp_path):
    path = tmp_path / "out.tsv"
    path.write_text("old")
    with pytest.raises(ValueError, match="boom"), open_table(str(path), SMALL, Format.tsv, overwrite=True):
        raise ValueError("boom")
    assert path.read_text() == "old"
    write(path, SMALL, small(1), overwrite=True)
    assert path.read_text() == "a\tb\n0\tx0\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("chosen", TABLES)
def test_a_full_disk_is_one_line(chosen):
    with (
        pytest.raises(InputError, match=f"/dev/full: cannot be written: {os.strerror(errno.ENOSPC)}"),
        open_table("/dev/full", SMALL, chosen) as table,
    ):
        table.write(small(100_000))


class Full(io.FileIO):
    """A file on a disk that has some room left, and less after each write."""

    room = 0

    def write(self, data):
        data = bytes(memoryview(data))[: Full.room]
        Full.room -= len(data)
        if not data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("name", ["out.parquet", "out.tsv", "out.tsv.gz"])
def test_a_disk_that_is_full_at_any_byte_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, name):
    destination = tmp_path / name
    write(destination, SMALL, small(20_000))
    size = destination.stat().st_size
    destination.unlink()
    real = Path.open

    def on_a_full_disk(path, mode="r", *arguments, **options):
        if mode != "wb":
            return real(path, mode, *arguments, **options)
        return io.BufferedWriter(Full(path, "w"))

    monkeypatch.setattr(Path, "open", on_a_full_disk)
    full = f"^{re.escape(str(destination))}: cannot be written: {os.strerror(errno.ENOSPC)}"
    for Full.room in range(0, size, max(1, size // 50)):
        with pytest.raises(InputError, match=full):
            write(destination, SMALL, small(20_000))
        assert list(tmp_path.iterdir()) == []


def test_an_os_error_of_the_body_is_not_renamed(tmp_path):
    with pytest.raises(FileNotFoundError), open_table(str(tmp_path / "out.tsv"), SMALL, Format.tsv):
        (tmp_path / "missing.fa").open()


SCRIPT = """
import sys
import pyarrow as pa
from janusdna_cli.outputs.tables import Format, open_table

try:
    with open_table(sys.argv[1], pa.schema([("a", pa.int64())]), Format(sys.argv[2])) as table:
        for _ in range(int(sys.argv[3])):
            table.write({"a": list(range(100_000))})
            if sys.argv[4] == "fail":
                raise ValueError
            if sys.argv[4] == "wait":
                print("written", flush=True)
                sys.stdin.read()
except BrokenPipeError:
    sys.stderr.write("broken pipe")
    sys.stderr.flush()
    import os
    os._exit(9)
"""


def script(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_stdout(unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    out, _ = script("-", "tsv", "2", "go", env=environment).communicate()
    assert out.split() == [b"a", *[str(i).encode() for i in range(100_000)] * 2]
    out, _ = script("-", "parquet", "2", "go", env=environment).communicate()
    assert pq.read_table(pa.BufferReader(out)).num_rows == 200_000


def test_an_incomplete_table_on_stdout_is_not_valid_parquet():
    out, _ = script("-", "parquet", "2", "fail").communicate()
    assert out.startswith(b"PAR1")
    assert not out.endswith(b"PAR1")


@pytest.mark.parametrize("chosen", TABLES)
def test_a_closed_pipe_is_left_to_the_caller(chosen):
    with script("-", chosen, "1000000", "go") as process:
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == b"broken pipe"
        assert process.wait() == 9


def test_kill_leaves_nothing_under_the_name(tmp_path):
    destination = tmp_path / "out.parquet"
    with script(str(destination), "parquet", "2", "wait") as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not destination.exists()


def test_a_million_rows_take_seconds(tmp_path):
    columns = variants(250_000)
    started = time.monotonic()
    with open_table(str(tmp_path / "out.tsv"), VARIANT_SCHEMA, Format.tsv) as table:
        for _ in range(4):
            table.write(columns)
    assert time.monotonic() - started < 30
