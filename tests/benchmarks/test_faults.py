"""Runs ended at random moments, a few of them; and what would be told if something were left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "faults.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_ten_that_are_ended_leave_nothing_half_done(tmp_path):
    command = [sys.executable, SCRIPT, "--kills", "10", "--seed", "3", "--json", tmp_path / "out.json"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert sum(row["ended"] for row in rows) >= 10
    assert all(row["the same at last"] >= 1 for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.fixture
def faults(module):
    return module("faults")


@pytest.fixture
def task(faults):
    return faults.TASKS[0]


@pytest.fixture
def whole(faults):
    return faults.Whole({"out.parquet": b"whole"}, 1.0, 1, 1)


def ended(faults, code=1, *said):
    return faults.Ended(code, list(said), 0.1)


GO_ON = "janusdna: terminated; what is done is kept in out.parquet.parts: go on with --resume"


@pytest.mark.parametrize(
    ("files", "fault", "code", "said", "problem"),
    [
        ({"out.parquet": b"who"}, "SIGKILL", -9, [], "out.parquet is there and is not whole"),
        ({".out.parquet.1.part": b""}, "SIGKILL", -9, [], r"it left \['.out.parquet.1.part'\]"),
        ({"out.parquet.parts/lock": b""}, "SIGTERM", 143, ["janusdna: terminated"], "parts is there, and it"),
        ({}, "SIGTERM", 143, [GO_ON], "parts is not there, and it said"),
        ({}, "SIGTERM", 1, ["janusdna: error: x"], "exit code 1, expected"),
        ({}, "full disk", 1, ["janusdna: error: this is a bug"], "expected a line"),
        ({}, "failing write", 1, ["a", "b"], "expected a line"),
    ],
)
def test_what_is_wrong_is_told(faults, task, whole, tmp_path, files, fault, code, said, problem):
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    with pytest.raises(faults.WrongError, match=problem):
        faults.check_left(task, fault, tmp_path, ended(faults, code, *said), whole, was_kept=False)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, r"it went on and left \[\]"),
        ({"out.parquet": b"whole", "x": b""}, "it went on and left"),
        ({"out.parquet": b"other"}, "it went on to another out.parquet"),
    ],
)
def test_what_does_not_end_as_it_must_is_told(faults, task, whole, tmp_path, files, problem):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(faults.WrongError, match=problem):
        faults.check_done(task, tmp_path, ended(faults, 0), whole)


def test_what_is_right_is_not_told(faults, task, whole, tmp_path):
    faults.check_left(task, "SIGTERM", tmp_path, ended(faults, 143, "terminated"), whole, was_kept=False)
    (tmp_path / "out.parquet").write_bytes(b"whole")
    faults.check_left(task, "SIGKILL", tmp_path, ended(faults, -9), whole, was_kept=False)
    faults.check_done(task, tmp_path, ended(faults, 0), whole)
    (tmp_path / "out.parquet.parts").mkdir()
    faults.check_left(task, "SIGTERM", tmp_path, ended(faults, 143, GO_ON), whole, was_kept=False)
