"""The program killed from outside, and the run gone on with."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from janusdna_cli.runs.journal import read_journal

from .conftest import CASES, UNIT, run_to_end

pytestmark = pytest.mark.usefixtures("small")

# The units of these tests, and time to be killed between two of them.
SLOWLY = f"""
import time
from janusdna_cli.app import main
from janusdna_cli.reading import chunks
from janusdna_cli.runs import keeper, rows, running

running._CPU_UNIT, keeper._SECONDS, rows._BLOCK_ROWS, chunks._CHUNK_ITEMS = {UNIT}, 0, 16, 4
add = keeper.Keeper.add

def slowly(*arguments):
    add(*arguments)
    time.sleep(0.1)

keeper.Keeper.add = slowly
main()
"""


def killed(words, number):
    """Start it, and kill it some time after the first entry; exit code and what it said."""
    command = [sys.executable, "-c", SLOWLY, *map(str, words), "-o", "out.parquet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not any(path.stat().st_size for path in Path("out.parquet.parts").glob("*.journal")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.3))
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        return process.returncode, said


def without_command(path):
    metadata = json.loads(pq.read_metadata(path).metadata[b"janusdna"])
    del metadata["command"]
    return pq.read_table(path), metadata


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGTERM, 143, "janusdna: terminated; what is done is kept in out.parquet.parts: go on with"),
        (signal.SIGINT, 130, "janusdna: interrupted; what is done is kept in out.parquet.parts: go on with"),
    ],
)
def test_what_is_killed_goes_on_to_the_same_table(work, answers, whole, number, code, said):
    case = next(case for case in CASES if case.name == "tiled-shuffled")
    words = case.words(work)
    found, lines = killed(words, number)
    assert found == code, lines
    assert lines == (f"{said} --resume\n" if said else "")
    assert [path.name for path in work.folder.glob("*out.parquet*")] == ["out.parquet.parts"]
    [journal] = Path("out.parquet.parts").glob("*.journal")
    windows = sum(entry.windows for entry, _ in read_journal(journal))
    assert windows > 0
    answers.reset()
    run_to_end(work, [*words, "--resume"])
    assert answers.windows + windows == whole(case).windows
    Path("whole.parquet").write_bytes(whole(case).data)
    (table, metadata), (expected, of_expected) = map(without_command, ("out.parquet", "whole.parquet"))
    assert table.equals(expected)
    assert metadata == of_expected
