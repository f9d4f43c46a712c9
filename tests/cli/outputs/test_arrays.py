"""Small tables as NumPy's .npz and AnnData's .h5ad, read back by these libraries."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.outputs import gathered
from janusdna_cli.outputs.formats import EMBEDDINGS, Format, table_format
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.regions.table import embedding_schema

D = 5


def columns(count, first=0, dtype=np.float32):
    rng = np.random.default_rng(first)
    at = range(first, first + count)
    return {
        "chrom": [f"chr{i % 3}" for i in at],
        "start": list(at),
        "end": [i + 10 for i in at],
        "name": [None if i % 4 == 1 else f"é{i}" for i in at],
        "strand": [None] * count,
        "pos": [None if i % 5 == 2 else i + 1 for i in at],
        "n_bases": [0 if i % 5 == 2 else 10 for i in at],
        "status": ["empty" if i % 5 == 2 else "ok" for i in at],
        "embedding": [None if i % 5 == 2 else rng.standard_normal(D).astype(dtype) for i in at],
    }


def write(path, *tables, form=None, dtype="float32", metadata=None):
    schema = embedding_schema(D, dtype=dtype, per_base=True)
    form = form or table_format(str(path), formats=EMBEDDINGS)
    with open_table(str(path), schema, form, metadata=metadata) as table:
        for part in tables:
            table.write(part)


def expected(tables, dtype):
    """Column by column, by hand."""
    joined = {name: [value for table in tables for value in table[name]] for name in tables[0]}
    nothing = np.full(D, np.nan, dtype)
    matrix = np.array([nothing if row is None else row for row in joined.pop("embedding")]).reshape(-1, D)
    return joined, matrix


def loaded(file):
    with np.load(file) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("sizes", [(7, 40, 1), (20_000,), (1,), ()])
def test_npz(tmp_path, sizes, dtype):
    tables = [columns(size, 100 * number, dtype) for number, size in enumerate(sizes)]
    write(tmp_path / "emb.npz", *tables, dtype=dtype, metadata={"reference": "é.fa"})
    found = loaded(tmp_path / "emb.npz")
    assert list(found) == [
        "embedding", "chrom", "start", "end", "name", "strand", "pos", "n_bases", "status", "janusdna"
    ]  # fmt: skip
    assert json.loads(str(found["janusdna"])) == {"reference": "é.fa"}
    joined, matrix = expected(tables or [columns(0)], dtype)
    assert (found["embedding"].dtype, found["embedding"].shape) == (dtype, (sum(sizes), D))
    np.testing.assert_array_equal(found["embedding"], matrix)
    for name, values in joined.items():
        nothing = 0 if name in ("start", "end", "pos", "n_bases") else ""
        assert found[name].tolist() == [nothing if value is None else value for value in values]
        assert found[name].dtype.kind == ("i" if nothing == 0 else "U")


def test_npz_is_what_numpy_itself_writes(tmp_path):
    tables = [columns(300)]
    write(tmp_path / "ours.npz", *tables, metadata={})
    np.savez(tmp_path / "theirs.npz", **loaded(tmp_path / "ours.npz"))
    with zipfile.ZipFile(tmp_path / "ours.npz") as ours, zipfile.ZipFile(tmp_path / "theirs.npz") as theirs:
        assert ours.testzip() is None
        assert ours.namelist() == theirs.namelist()
        for name in ours.namelist():
            one, other = (np.load(io.BytesIO(archive.read(name))) for archive in (ours, theirs))
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def test_npz_on_a_pipe():
    script = (
        "import pyarrow as pa\n"
        "from janusdna_cli.outputs.tables import Format, open_table\n"
        "schema = pa.schema([('a', pa.int64()), ('embedding', pa.list_(pa.float32(), 2))])\n"
        "with open_table('-', schema, Format.npz) as table:\n"
        "    table.write({'a': [1, 2], 'embedding': [[1.0, 2.0], None]})\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    found = loaded(io.BytesIO(result.stdout))
    np.testing.assert_array_equal(found["embedding"], [[1, 2], [np.nan, np.nan]])
    assert found["a"].tolist() == [1, 2]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("sizes", [(7, 40, 1), (10_000,), ()])
def test_h5ad(tmp_path, sizes, dtype):
    anndata = pytest.importorskip("anndata")
    tables = [columns(size, 100 * number, dtype) for number, size in enumerate(sizes)]
    write(tmp_path / "emb.h5ad", *tables, dtype=dtype, metadata={"reference": "é.fa"})
    found = anndata.read_h5ad(tmp_path / "emb.h5ad")
    joined, matrix = expected(tables or [columns(0)], dtype)
    assert (found.X.dtype, found.shape) == (dtype, (sum(sizes), D))
    np.testing.assert_array_equal(found.X, matrix)
    assert json.loads(found.uns["janusdna"]) == {"reference": "é.fa"}
    assert list(found.obs) == list(joined)
    assert found.obs_names.tolist() == [str(i) for i in range(sum(sizes))]
    for name, values in joined.items():
        column = found.obs[name].astype(object)
        assert column.where(column.notna(), None).tolist() == values
    for name in ("start", "end", "n_bases"):
        assert found.obs[name].dtype == np.int64


def test_h5ad_without_its_package_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(InputError, match=r"emb.h5ad: h5ad needs .*pip install 'janusdna\[anndata\]'"):
        table_format("emb.h5ad", formats=EMBEDDINGS)
    with pytest.raises(InputError, match="anndata"):
        table_format("emb", Format.h5ad, formats=EMBEDDINGS)


@pytest.mark.parametrize("destination", ["-", "/dev/null"])
def test_h5ad_needs_a_file(destination):
    pytest.importorskip("anndata")
    with pytest.raises(InputError, match=f"{destination}: h5ad cannot be written to a pipe or a device"):
        table_format(destination, Format.h5ad, formats=EMBEDDINGS)


@pytest.mark.parametrize("form", [Format.npz, Format.h5ad])
def test_more_than_memory_is_for_is_one_line(tmp_path, monkeypatch, form):
    # A row: 20 bytes of embedding, 32 of numbers, 4 of each character of the longest strings (4, 3, 1, 5).
    monkeypatch.setattr(gathered, "MOST_BYTES", 30 * (20 + 32 + 4 * (4 + 3 + 1 + 5)))
    write(tmp_path / "fits.npz", columns(30))
    with pytest.raises(InputError, match=r"after 31 rows the arrays take more than .*; write Parquet"):
        write(tmp_path / f"emb.{form}", columns(30), columns(1), form=form)
    assert [path.name for path in tmp_path.iterdir()] == ["fits.npz"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_device_is_one_line():
    with pytest.raises(InputError, match="/dev/full: cannot be written: No space left on device"):
        write("/dev/full", columns(9_000), form=Format.npz)


def test_halves_as_text(tmp_path):
    """The fewest digits of the float32 that each float16 is; read back they are the same float16."""
    halves = np.array([0.1, 65504, 6e-8, -np.inf, 1 / 3], np.float16)
    write(tmp_path / "emb.tsv", columns(1) | {"embedding": [halves]}, dtype="float16")
    text = (tmp_path / "emb.tsv").read_text().splitlines()[1].split("\t")[-1]
    assert text.split(",")[:2] == [str(np.float32(np.float16(0.1))), "65504"]
    np.testing.assert_array_equal(np.array(text.split(","), np.float32).astype(np.float16), halves)
    schema = embedding_schema(D, dtype="float16")
    assert schema.field("embedding").type == pa.list_(pa.float16(), D)
