"""Processes of one machine that share a run: the table of one, whichever of them did what."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from janusdna_cli.runs import running
from janusdna_cli.runs.workers import _claims

from .conftest import CASES, UNIT, run_to_end


@pytest.fixture
def small_units(monkeypatch):
    """Of the parent, which tells them to its workers; what else is small elsewhere would not be in them."""
    monkeypatch.setattr(running, "_CPU_UNIT", UNIT)


@pytest.mark.usefixtures("small_units")
@pytest.mark.parametrize(
    "name", ["centered-shuffled", "tiled-shuffled", "mean", "none", "mutagenesis", "track-shuffled"]
)
def test_several_make_the_table_of_one(work, monkeypatch, name):
    case = next(case for case in CASES if case.name == name)
    words = case.words(work)
    alone = run_to_end(work, words, "alone.parquet")
    assert run_to_end(work, [*words, "--workers", 2], "shared.parquet") == alone
    monkeypatch.setattr("janusdna_cli.runs.workers.work", lambda *arguments: None)
    assert run_to_end(work, [*words, "--workers", 3], "others.parquet") == alone


@pytest.mark.usefixtures("small_units")
def test_what_they_read_is_added_up(work):
    words = next(case for case in CASES if case.name == "centered").words(work)
    alone, shared = (work.run(*words, "--workers", count, "-o", f"{count}.parquet") for count in (1, 2))
    counts = [result.stderr.partition(" read in ")[0] for result in (alone, shared)]
    assert counts[0] == counts[1]
    assert "windows" in counts[0]


def test_each_unit_is_taken_once():
    class Counter:
        value = 0

        def get_lock(self):
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    counter = Counter()
    one, other = (_claims(frozenset({0, 1, 3, 4}), counter) for _ in range(2))
    assert [one(0), other(0), other(1), one(1), one(2), other(2), one(3), other(3), other(4)] == [
        *(True, False, True, False, False, False, True, False, True)
    ]


RUN = f"""
from janusdna_cli.app import main
from janusdna_cli.runs import running

if __name__ == "__main__":
    running._CPU_UNIT = {UNIT}
    main()
"""


def workers_of(process):
    """Processes that its server of forks has made."""
    parents = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    servers = {pid for pid, parent in parents.items() if parent == process.pid}
    return [pid for pid, parent in parents.items() if parent in servers]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_one_that_is_killed_ends_the_run_with_a_line(work, small_units):
    words = next(case for case in CASES if case.name == "tiled").words(work)
    run_to_end(work, words, "alone.parquet")
    script = work.file("run.py", RUN)
    command = [sys.executable, script, *map(str, words), "--workers", "2", "-o", "out.parquet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not (found := workers_of(process)):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)  # before it has done anything, mostly
        _, said = process.communicate(timeout=120)
    assert (process.returncode, said.count("\n")) == (1, 1), said
    assert "a worker process was killed by signal 9" in said
    assert not Path("out.parquet").exists()
    run_to_end(work, [*words, "--resume", "--workers", 2])
    assert pq.read_table("out.parquet").equals(pq.read_table("alone.parquet"))
