"""What is done is kept in whole units, whatever interrupts it wherever."""

import sys
from types import SimpleNamespace

import pyarrow as pa
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.reading.chunks import Chunk, Load
from janusdna_cli.runs import journal as journal_module
from janusdna_cli.runs import keeper as keeper_module
from janusdna_cli.runs.job import Done
from janusdna_cli.runs.journal import Journal, read_journal
from janusdna_cli.runs.keeper import Keeper
from janusdna_cli.runs.rows import NUMBER, numbered_by


class Contigs:
    """Checksums that are there at once."""

    def __init__(self):
        self.started = set()

    def start(self, contig):
        self.started.add(contig)

    def of(self, contigs):
        assert self.started.issuperset(contigs)
        return {contig: f"md5 of {contig}" for contig in contigs}


def chunk(unit, is_last, first_row, count, contig="c", *, is_numbered=False):
    rows = pa.table({"value": pa.array([f"{unit}"] * count, pa.string())})
    if is_numbered:
        rows = numbered_by(rows, range(first_row + count - 1, first_row - 1, -1))
    return Done(Chunk(unit, is_last, first_row, Load(count, 0, 0), []), rows, {contig})


# Units of one chunk, of three, of one that completes no row; in the order of the table and not.
WORK = [
    chunk(0, True, 0, 2),
    chunk(1, False, 2, 1, "d"),
    chunk(1, False, 3, 0, "e"),
    chunk(1, True, 3, 2),
    chunk(3, True, 9, 3, is_numbered=True),
    chunk(4, True, 5, 1, "f"),
]
ROWS = {0: [0, 1], 1: [2, 3, 4], 3: [9, 10, 11], 4: [5]}


def keep(path, work=tuple(WORK), kind=Journal):
    reader = SimpleNamespace(windows=0, bases=0)
    with kind(path) as journal, Keeper(journal, Contigs(), reader) as keeper:
        for done in work:
            reader.windows += 2
            reader.bases += 128
            keeper.add(done)


def kept(path):
    """The units of each entry; each has its rows, and no others are there."""
    entries = list(read_journal(path)) if path.exists() else []
    for entry, rows in entries:
        numbers = rows.between(0, 1_000).column(NUMBER).to_pylist()
        assert numbers == sorted(number for unit in entry.units for number in ROWS[unit])
    return [entry.units for entry, _ in entries]


def test_what_is_done_fast_is_one_entry(tmp_path):
    keep(tmp_path / "journal")
    assert kept(tmp_path / "journal") == [(0, 1, 3, 4)]
    [(entry, _)] = read_journal(tmp_path / "journal")
    assert (entry.windows, entry.bases) == (12, 6 * 128)
    assert entry.contigs == {contig: f"md5 of {contig}" for contig in "cdef"}


@pytest.mark.parametrize("limit", ["_SECONDS", "_BYTES"])
def test_an_entry_ends_with_a_unit_when_it_is_time(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(keeper_module, limit, 0)
    keep(tmp_path / "journal")
    assert kept(tmp_path / "journal") == [(0,), (1,), (3,), (4,)]
    entries = [entry for entry, _ in read_journal(tmp_path / "journal")]
    assert [entry.windows for entry in entries] == [2, 6, 2, 2]
    assert [sorted(entry.contigs) for entry in entries] == [["c"], ["c", "d", "e"], ["c"], ["f"]]


@pytest.mark.parametrize("length", range(len(WORK) + 1))
def test_a_unit_that_is_begun_is_not_kept(tmp_path, length):
    keep(tmp_path / "journal", WORK[:length])
    whole = tuple(done.chunk.unit for done in WORK[:length] if done.chunk.is_last)
    assert kept(tmp_path / "journal") == ([whole] if whole else [])


def interrupted(work, at):
    """Run `work` with a KeyboardInterrupt before an instruction of keeper or journal; how many there were."""
    files, count = {keeper_module.__file__, journal_module.__file__}, 0

    def trace(frame, event, argument):
        nonlocal count
        if frame.f_code.co_filename not in files or frame.f_code.co_name == "read_journal":
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
            if count - 1 == at:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return count


# Of an interruption between the opening of a file and the next instruction.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seconds", [0, 5])
def test_interrupted_anywhere_each_unit_is_kept_whole_and_once_or_not_at_all(tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(keeper_module, "_SECONDS", seconds)
    monkeypatch.setattr(journal_module.os, "fsync", lambda handle: None)
    instructions = interrupted(lambda: keep(tmp_path / "whole"), None)
    most = 0
    for at in range(0, instructions, 3):
        path = tmp_path / f"{at}"
        interrupted(lambda path=path: keep(path), at)
        units = [unit for entry in kept(path) for unit in entry]
        assert units == [0, 1, 3, 4][: len(units)]
        most = max(most, len(units))
    assert instructions > 300
    assert most == 4


def test_what_cannot_be_kept_is_an_error_and_not_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper_module, "_SECONDS", 0)
    tried = []

    class Full(Journal):
        def add(self, entry, rows):
            tried.append(entry.units)
            if len(tried) == 2:
                raise InputError("full")
            return super().add(entry, rows)

    with pytest.raises(InputError, match="full"):
        keep(tmp_path / "journal", kind=Full)
    assert tried == [(0,), (1,)]
    assert kept(tmp_path / "journal") == [(0,)]
