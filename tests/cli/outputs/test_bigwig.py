"""bigWig, read back by two programs that share no code with it or with each other."""

import subprocess
import sys

import numpy as np
import pybigtools
import pyBigWig
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.outputs import bigwig
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.tracks.table import track_schema


def write(path, contigs, stretches):
    """Values of neighbouring bases: contig, start, values."""
    with open_table(str(path), track_schema("logp"), Format.bigwig, contigs=contigs) as table:
        for contig, start, values in stretches:
            count = len(values)
            pos = np.arange(start + 1, start + count + 1)
            table.write({"chrom": [contig] * count, "pos": pos, "value": values, "status": ["ok"] * count})


def drawn(count, seed=0):
    return np.random.default_rng(seed).normal(-1, 0.5, count).astype(np.float32)


def check(path, contigs, stretches):
    with pyBigWig.open(str(path)) as one, pybigtools.open(str(path)) as two:
        assert one.chroms() == contigs == two.chroms()
        for contig, start, values in stretches:
            wanted = list(zip(range(start, start + len(values)), values.tolist(), strict=True))
            assert [
                (at, value) for at, _, value in one.intervals(contig, start, start + len(values))
            ] == wanted
            assert [(at, value) for at, _, value in two.records(contig, start, start + len(values))] == wanted


def test_values_lie_where_they_were(tmp_path):
    contigs = {"z": 2_140_000_000, "b": 50_000, "a": 20}
    ends = [("b", 0, drawn(50_000, 2)), ("a", 19, drawn(1))]
    stretches = [("z", 3, drawn(7)), ("z", 2_100_000_000, drawn(9_000, 1)), *ends]
    write(tmp_path / "t.bw", contigs, stretches)
    check(tmp_path / "t.bw", contigs, stretches)


def test_trees_of_several_levels(tmp_path, monkeypatch):
    """Contigs and blocks by nodes of few items, as millions have them."""
    monkeypatch.setattr(bigwig, "_ITEMS_A_NODE", 3)
    monkeypatch.setattr(bigwig, "_VALUES_A_BLOCK", 10)
    monkeypatch.setattr(bigwig, "_ZOOMED_A_BLOCK", 2)
    monkeypatch.setattr(bigwig, "_FIRST_ZOOM", 16)
    contigs = {f"chr{i % 7}_{i}": 500 + i for i in range(60)}
    stretches = [(name, i, drawn(40 + 5 * i, i)) for i, name in enumerate(contigs) if i % 4 != 1]
    write(tmp_path / "t.bw", contigs, stretches)
    check(tmp_path / "t.bw", contigs, stretches)


def test_summaries_are_those_of_the_values(tmp_path):
    contigs, values = {"a": 300_000, "b": 300_000}, drawn(262_144)
    write(tmp_path / "t.bw", contigs, [("a", 0, values), ("b", 1_000, drawn(20, 3))])
    with pyBigWig.open(str(tmp_path / "t.bw")) as file:
        assert file.header()["nLevels"] == 8
        assert file.header()["nBasesCovered"] == 262_164
        for name, summary in (("mean", np.mean), ("max", np.max), ("min", np.min), ("std", np.std)):
            wanted = summary(values.astype(np.float64).reshape(4, -1), axis=1)
            found = file.stats("a", 0, 262_144, type=name, nBins=4)
            np.testing.assert_allclose(found, wanted, rtol=1e-4)
        assert file.stats("a", 0, 300_000, type="coverage", nBins=3)[0] == 1
    with pybigtools.open(str(tmp_path / "t.bw")) as file:
        zoomed = file.zoom_records(65_536, "a")
        means = [summary["sum"] / summary["bases_covered"] for _, _, summary in zoomed]
        np.testing.assert_allclose(means, values.reshape(4, -1).mean(axis=1), rtol=1e-4)


def test_nothing_is_a_file_too(tmp_path):
    write(tmp_path / "t.bw", {"a": 100}, [])
    check(tmp_path / "t.bw", {"a": 100}, [])
    with pyBigWig.open(str(tmp_path / "t.bw")) as file:
        assert file.intervals("a") is None


def test_a_contig_that_is_too_long_is_told(tmp_path):
    with pytest.raises(
        InputError, match=r"contig lungfish has 4,294,967,296 bases, a bigWig takes 4,294,967,295"
    ):
        write(tmp_path / "t.bw", {"lungfish": 2**32}, [])
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import resource, sys
from janusdna_cli.errors import InputError
sys.path.insert(0, sys.argv[2])
from test_bigwig import drawn, write
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
try:
    write("t.bw", {"a": 60_000}, [("a", 0, drawn(60_000))])
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [5_000, 200_000, 215_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, limit):
    folder = str(__file__).rpartition("/")[0]
    command = [sys.executable, "-B", "-c", SCRIPT, str(limit), folder]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.stdout == "t.bw: cannot be written: File too large; make room or choose another output\n"
    assert (result.returncode, result.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
