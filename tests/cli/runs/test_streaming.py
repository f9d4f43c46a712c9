"""From a pipe and to one: the same rows in the same order, as soon as they may go."""

import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from janusdna_cli.outputs.tables import TableWriter
from janusdna_cli.runs import rows, streaming

from .conftest import CASES, run_to_end

pytestmark = pytest.mark.usefixtures("small")


@pytest.mark.parametrize("case", [case for case in CASES if not case.whole], ids=lambda case: case.name)
def test_a_pipe_gives_what_a_file_gives(work, case, whole):
    """Regions of several chunks and tiles out of order included."""
    words = case.words(work)
    place = case.place
    stdin = Path(words[place]).read_bytes()
    piped = [word for word in words if word != "--keep-columns"]
    named = run_to_end(work, piped, "named.tsv")
    piped[place] = "-"
    for output in ("-", "out.tsv"):
        result = work.run(*piped, "-o", output, stdin=stdin)
        assert result.exit_code == 0, result.output
        assert (result.stdout_bytes if output == "-" else Path(output).read_bytes()) == named


def test_a_file_to_standard_output(work, whole):
    words = CASES[4].words(work)
    result = work.run(*words, "-o", "-", "--format", "parquet")
    Path("streamed.parquet").write_bytes(result.stdout_bytes)
    Path("kept.parquet").write_bytes(whole(CASES[4]).data)
    assert pq.read_table("streamed.parquet").equals(pq.read_table("kept.parquet"))


def test_rows_that_wait_leave_memory_and_then_the_disk(work, monkeypatch):
    """Tiles of a shuffled input, of which each row waits for others."""
    case = next(case for case in CASES if case.name == "tiled-shuffled")
    words = case.words(work)
    named = run_to_end(work, words, "named.tsv")
    spilled, real = [], streaming.spill
    monkeypatch.setattr(rows, "_SPILL_BYTES", 500)
    monkeypatch.setattr(
        streaming, "spill", lambda journal, table: spilled.append(table.num_rows) or real(journal, table)
    )
    monkeypatch.setattr(tempfile, "tempdir", str(work.folder / "temporary"))
    Path("temporary").mkdir()
    words[1], stdin = "-", Path(words[1]).read_bytes()
    result = work.run(*words, "-o", "-", stdin=stdin)
    assert result.stdout_bytes == named
    assert len(spilled) > 2
    assert list(Path("temporary").iterdir()) == []


def test_rows_go_out_while_others_are_read(work, monkeypatch):
    case = CASES[0]
    words = case.words(work)
    words[1], stdin = "-", Path(words[1]).read_bytes()
    sizes, write = [], TableWriter.write_table
    monkeypatch.setattr(
        TableWriter, "write_table", lambda it, table: sizes.append(table.num_rows) or write(it, table)
    )
    result = work.run(*words, "-o", "-", stdin=stdin)
    assert result.exit_code == 0
    assert len(sizes) > 3
    assert max(sizes) < sum(sizes) / 2


def test_an_interrupted_stream_leaves_nothing(work, answers):
    case = CASES[0]
    words = case.words(work)
    words[1], stdin = "-", Path(words[1]).read_bytes()
    answers.reset(stop_at=2)
    result = work.run(*words, "-o", "out.parquet", stdin=stdin)
    assert (result.exit_code, result.stderr) == (130, "janusdna: interrupted\n")
    assert not list(work.folder.glob("*out.parquet*"))
