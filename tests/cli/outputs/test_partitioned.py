"""A folder of Parquet files: read as one table, complete or absent, bounded."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.outputs import destinations, partitioned
from janusdna_cli.outputs.formats import Format, table_format
from janusdna_cli.outputs.partitioned import OTHERS, PartitionedSink, file_name
from janusdna_cli.outputs.tables import open_table

SCHEMA = pa.schema([pa.field("chrom", pa.string(), nullable=False), ("pos", pa.int64())])
FORMATS = (Format.parquet, Format.tsv, Format.parquet_folder)
AWKWARD = [
    "chr1",
    "HLA:A*01",
    "a/b",
    "..",
    ".hidden",
    "_private",
    "a b",
    "a%2Fb",
    "others",
    "+others",
    "chrom=1",
    "é",
    "",
    '"1"',
    "x" * 300,
]


def rows(chroms, first=0):
    return {"chrom": list(chroms), "pos": list(range(first, first + len(chroms)))}


def write(folder, *tables, metadata=None, overwrite=False):
    with open_table(
        str(folder), SCHEMA, Format.parquet_folder, overwrite=overwrite, metadata=metadata
    ) as table:
        for columns in tables:
            table.write(columns)


def files(folder):
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("emb", Format.parquet_folder),
        ("emb/", Format.parquet_folder),
        ("a.b/emb", Format.parquet_folder),
        ("emb.parquet/", Format.parquet_folder),
        ("emb.parquet", Format.parquet),
        ("emb.tsv", Format.tsv),
        ("-", Format.tsv),
    ],
)
def test_a_destination_that_is_a_folder(destination, expected):
    assert table_format(destination, formats=FORMATS) is expected


def test_a_device_and_an_existing_file_are_no_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("there").write_text("")
    Path("inside").mkdir()
    for name in ("/dev/null", "there", "out.csv"):
        with pytest.raises(InputError, match="names no format of this table"):
            table_format(name, formats=FORMATS)
    assert table_format("inside", formats=FORMATS) is Format.parquet_folder


def test_a_format_decides_unless_the_folder_is_plain_to_see():
    assert table_format("emb", Format.parquet, formats=FORMATS) is Format.parquet
    assert table_format("emb/", Format.parquet, formats=FORMATS) is Format.parquet_folder
    with pytest.raises(InputError, match="emb/: is a folder, expected the name of a file to write tsv to"):
        table_format("emb/", Format.tsv, formats=FORMATS)
    with pytest.raises(InputError, match="emb/: is a folder, expected the name of a file"):
        table_format("emb/")
    with pytest.raises(InputError, match="names no format of this table"):
        table_format("emb")


def test_readers_find_one_table_in_it(tmp_path):
    rng = np.random.default_rng(0)
    tables = [rows(rng.choice(["chr2", "chr1", "chr10"], 5_000), first) for first in range(0, 20_000, 5_000)]
    write(tmp_path / "emb", *tables)
    assert files(tmp_path / "emb") == ["chr1.parquet", "chr10.parquet", "chr2.parquet"]
    expected = pd.concat([pd.DataFrame(table) for table in tables]).sort_values("chrom", kind="stable")
    for found in (
        pd.read_parquet(tmp_path / "emb"),
        ds.dataset(tmp_path / "emb").to_table().to_pandas(),
        pq.read_table(tmp_path / "emb").to_pandas(),
        pd.concat(pd.read_parquet(path) for path in sorted((tmp_path / "emb").iterdir())),
    ):
        assert found["chrom"].astype(str).tolist() == expected["chrom"].tolist()
        assert found["pos"].tolist() == expected["pos"].tolist()
    assert pq.read_schema(tmp_path / "emb" / "chr1.parquet").equals(SCHEMA, check_metadata=True)


def test_names_that_are_awkward(tmp_path):
    write(tmp_path / "emb", rows(AWKWARD), rows(AWKWARD[::-1], len(AWKWARD)))
    found = ds.dataset(tmp_path / "emb").to_table()
    assert Counter(found["chrom"].to_pylist()) == dict.fromkeys(AWKWARD, 2)
    assert pd.read_parquet(tmp_path / "emb")["pos"].nunique() == 2 * len(AWKWARD)
    for path in (tmp_path / "emb").iterdir():
        assert re.fullmatch(r"[A-Za-z0-9%+~-][A-Za-z0-9%._~-]*", path.name)
    long = pq.read_table(tmp_path / "emb" / OTHERS)["chrom"].to_pylist()
    assert long == ["x" * 300] * 2
    assert len(files(tmp_path / "emb")) == len(AWKWARD)


def test_no_two_contigs_share_a_name():
    names = {file_name(name) for name in AWKWARD[:-1]} | {OTHERS}
    assert len(names) == len(AWKWARD)
    assert file_name("chrUn_KI270302v1") == "chrUn_KI270302v1.parquet"
    assert file_name("_x") == "%5Fx.parquet"
    assert file_name("é" * 41) is None


def test_every_file_says_where_it_comes_from(tmp_path):
    write(tmp_path / "emb", rows(["a", "b"]), metadata={"model": "é"})
    for path in (tmp_path / "emb").iterdir():
        assert json.loads(pq.read_metadata(path).metadata[b"janusdna"]) == {"model": "é"}


def test_no_rows_are_a_table_without_rows(tmp_path):
    write(tmp_path / "emb")
    assert files(tmp_path / "emb") == [OTHERS]
    found = pd.read_parquet(tmp_path / "emb")
    assert (len(found), list(found)) == (0, ["chrom", "pos"])


def test_ten_thousand_contigs_take_a_bounded_number_of_files(tmp_path):
    chroms = [f"NODE_{number}" for number in range(10_000)]
    write(tmp_path / "emb", rows(chroms), rows(chroms, 10_000))
    assert len(files(tmp_path / "emb")) == partitioned.MOST_FILES + 1
    others = pq.read_table(tmp_path / "emb" / OTHERS)
    assert others["pos"].to_pylist() == [*range(200, 10_000), *range(10_200, 20_000)]
    assert len(pd.read_parquet(tmp_path / "emb")) == 20_000


def test_a_name_that_the_file_system_takes_for_another(tmp_path):
    """As where CHR1 and chr1 are one file."""
    (tmp_path / "CHR1.parquet").write_bytes(b"")
    sink = PartitionedSink(tmp_path, SCHEMA)
    sink.write(pa.table(rows(["chr1", "CHR1", "CHR1"]), schema=SCHEMA))
    sink.close({})
    assert pq.read_table(tmp_path / OTHERS)["pos"].to_pylist() == [1, 2]
    assert pq.read_table(tmp_path / "chr1.parquet")["pos"].to_pylist() == [0]


def test_what_waits_in_memory_is_bounded_whatever_the_number_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(partitioned, "_WAITING_BYTES", 40_000)
    sink, waiting = PartitionedSink(tmp_path, SCHEMA), []
    for first in range(0, 60_000, 1_000):
        chroms = [f"c{number % 50}" for number in range(first, first + 1_000)]
        sink.write(pa.table(rows(chroms, first), schema=SCHEMA))
        waiting.append(sum(each.waiting for each in sink._sinks.values()))
    sink.close({})
    assert max(waiting) <= 40_000
    assert max(waiting) > 20_000
    found = ds.dataset(tmp_path).to_table().to_pandas()
    assert sorted(found["pos"]) == list(range(60_000))
    assert (found["pos"] % 50 == found["chrom"].str[1:].astype(int)).all()
    assert found.groupby("chrom")["pos"].is_monotonic_increasing.all()


def test_row_groups_are_those_of_one_file(tmp_path):
    write(tmp_path / "emb", rows(["a"] * 150_000), rows(["b"] * 10))
    groups = pq.ParquetFile(tmp_path / "emb" / "a.parquet").metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [65_536, 65_536, 18_928]


def test_an_exception_leaves_nothing(tmp_path):
    def interrupted():
        with open_table(str(tmp_path / "emb"), SCHEMA, Format.parquet_folder) as table:
            table.write(rows(["a", "b"]))
            [aside] = tmp_path.iterdir()
            assert aside.name.startswith(".emb.")
            assert files(aside) == ["a.parquet", "b.parquet"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_one_that_exists_is_replaced_when_told_and_nothing_but_parquet(tmp_path):
    write(f"{tmp_path}/emb/", rows(["a", "b"]))
    with pytest.raises(InputError, match="emb/: exists; pass --overwrite"):
        write(f"{tmp_path}/emb/", rows(["c"]))
    assert files(tmp_path / "emb") == ["a.parquet", "b.parquet"]
    write(f"{tmp_path}/emb/", rows(["c"]), overwrite=True)
    assert files(tmp_path / "emb") == ["c.parquet"]
    assert files(tmp_path) == ["emb"]
    (tmp_path / "emb" / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match=r"holds more than Parquet files \(thesis.tex\), so it is not"):
        write(tmp_path / "emb", rows(["d"]), overwrite=True)
    (tmp_path / "emb" / "thesis.tex").unlink()
    (tmp_path / "emb" / "sub.parquet").mkdir()
    with pytest.raises(InputError, match=r"\(sub.parquet\)"):
        write(tmp_path / "emb", rows(["d"]), overwrite=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file/: is a file, expected the name of a folder"):
        write(f"{tmp_path}/file/", rows(["d"]), overwrite=True)
    with pytest.raises(InputError, match=r"the folder .*missing does not exist"):
        write(tmp_path / "missing" / "emb", rows(["d"]))


def test_one_that_something_else_made_meanwhile_is_left(tmp_path):
    def late():
        with open_table(str(tmp_path / "emb"), SCHEMA, Format.parquet_folder) as table:
            table.write(rows(["a"]))
            (tmp_path / "emb").mkdir()

    with pytest.raises(InputError, match="something else made it meanwhile") as caught:
        late()
    kept = Path(str(caught.value).rpartition(" ")[2])
    assert files(kept) == ["a.parquet"]
    assert files(tmp_path / "emb") == []


def test_the_old_one_survives_a_failed_replacement(tmp_path, monkeypatch):
    write(tmp_path / "emb", rows(["a"]))
    with pytest.raises(ValueError, match="expected"):
        write(tmp_path / "emb", rows(["b"]), {"chrom": []}, overwrite=True)
    assert (files(tmp_path / "emb"), files(tmp_path)) == (["a.parquet"], ["emb"])
    rename = Path.rename

    def failing(path, target):
        if path.suffix == ".part" and Path(target).name == "emb":
            raise OSError(28, os.strerror(28))
        return rename(path, target)

    monkeypatch.setattr(destinations.Path, "rename", failing)
    with pytest.raises(InputError, match="No space left on device; what was to be written is"):
        write(tmp_path / "emb", rows(["b"]), overwrite=True)
    assert files(tmp_path / "emb") == ["a.parquet"]


SCRIPT = """
import resource, sys
import pyarrow as pa
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.tables import open_table

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
schema = pa.schema([("chrom", pa.string()), ("embedding", pa.list_(pa.float32(), 16))])
values = [[float(i * j) for j in range(16)] for i in range(9_000)]
try:
    with open_table(sys.argv[1], schema, Format(sys.argv[2])) as table:
        table.write({"chrom": ["a"] * 9_000, "embedding": values})
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "form"), [("emb", Format.parquet_folder), ("emb.npz", Format.npz), ("emb.h5ad", Format.h5ad)]
)
def test_what_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path, name, form):
    """As a full disk: no file may have more than 100 kB."""
    if form is Format.h5ad:
        pytest.importorskip("anndata")
    command = [sys.executable, "-c", SCRIPT, name, form]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.stdout == f"{name}: cannot be written: File too large; make room or choose another output\n"
    assert (result.returncode, result.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
