"""A journal's entries are whole, or they are not there."""

import random
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.runs import journal as journal_module
from janusdna_cli.runs.journal import Entry, Journal, read_journal
from janusdna_cli.runs.rows import NUMBER, numbered

ENTRIES = [
    Entry((0, 1), {"chr1": "a" * 32}, 4, 256),
    Entry((2,), {"chr\u03b1": None}, 2, 128),
    Entry((5, 3, 4)),
]


def rows(first, count):
    return numbered(pa.table({"value": pa.array([f"row {n}" for n in range(count)])}), first)


def written(path, entries=tuple(ENTRIES)):
    """A journal of three rows an entry, and where its entries begin."""
    with Journal(path) as journal:
        return [journal.add(entry, rows(10 * number, 3)) for number, entry in enumerate(entries)]


def read(path, start=0):
    return [
        (entry, kept.between(0, 1 << 40).column(NUMBER).to_pylist())
        for entry, kept in read_journal(path, start)
    ]


ALL = [(entry, [10 * number, 10 * number + 1, 10 * number + 2]) for number, entry in enumerate(ENTRIES)]


def test_what_is_added_is_there(tmp_path):
    path = tmp_path / "a.journal"
    starts = written(path)
    assert read(path) == ALL
    assert [read(path, start) for start in starts] == [ALL, ALL[1:], ALL[2:]]
    assert all(start % 64 == 0 for start in starts)


def test_a_file_appears_with_the_first_entry(tmp_path):
    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        assert not path.exists()
        journal.add(ENTRIES[0], rows(0, 3))
        assert read(path) == ALL[:1]


def test_a_journal_belongs_to_one_process(tmp_path):
    path = tmp_path / "a.journal"
    written(path)
    with (
        Journal(path) as journal,
        pytest.raises(InputError, match=r"a\.journal: cannot be written: File exists"),
    ):
        journal.add(ENTRIES[0], rows(0, 3))
    assert read(path) == ALL


@pytest.mark.parametrize("last", [1, 2, 3])
def test_cut_off_anywhere_it_holds_the_entries_before(tmp_path, last):
    path, cut = tmp_path / "a.journal", tmp_path / "b.journal"
    start = written(path, ENTRIES[:last])[-1]
    whole = path.read_bytes()
    padding = len(whole) - len(whole.rstrip(b"\0"))  # nobody needs it
    for length in range(start, len(whole) - padding):
        cut.write_bytes(whole[:length])
        assert read(cut) == ALL[: last - 1], length
    cut.write_bytes(whole[: len(whole) - padding])
    assert read(cut) in (ALL[: last - 1], ALL[:last])
    cut.write_bytes(whole)
    assert read(cut) == ALL[:last]


def test_damaged_anywhere_it_holds_the_entries_before(tmp_path):
    path, damaged = tmp_path / "a.journal", tmp_path / "b.journal"
    starts = written(path)
    whole = path.read_bytes()
    ends = [*starts[1:], len(whole)]
    draw = random.Random(2)
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        padding = end - start - len(whole[start:end].rstrip(b"\0"))
        for at in range(start, end - padding):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << draw.randrange(8)
            damaged.write_bytes(flipped)
            assert read(damaged) == ALL[:number], at


@pytest.mark.parametrize(
    "garbage", [b"", b"\0", b"\0" * 4096, b"janusdna", b"janusdna" + b"\xff" * 200, b"x" * 999]
)
def test_what_is_no_entry(tmp_path, garbage):
    """As a file system may leave behind that loses power: nothing, zeros, something else."""
    path = tmp_path / "a.journal"
    path.write_bytes(garbage)
    assert read(path) == []
    written(tmp_path / "b.journal")
    path.write_bytes((tmp_path / "b.journal").read_bytes() + garbage)
    assert read(path) == ALL


def test_rows_of_all_types_come_back_as_they_were(tmp_path):
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(50, 6)).astype(np.float32)
    missing = pa.array(draw.random(50) < 0.3)
    table = pa.table(
        {
            "text": pa.array([None if n % 3 == 0 else "\u03b1\tb\n" * n for n in range(50)]),
            "large": pa.array(["x" * n for n in range(50)], pa.large_string()),
            "none": pa.array([None] * 50, pa.string()),
            "score": pa.array([None, float("nan"), float("inf"), -0.0, 1.5] * 10, pa.float32()),
            "half": pa.array(vectors[:, 0].astype(np.float16)),
            "embedding": pa.FixedSizeListArray.from_arrays(
                pa.array(vectors.ravel()), type=pa.list_(pa.float32(), 6), mask=missing
            ),
            "halves": pa.FixedSizeListArray.from_arrays(
                pa.array(vectors.astype(np.float16).ravel()), type=pa.list_(pa.float16(), 6), mask=missing
            ),
        }
    )
    path, order = tmp_path / "a.journal", draw.permutation(50)
    shuffled = numbered(table, 100).take(order)
    # In several pieces of memory, and with more of it than they need.
    pieces = [shuffled.slice(0, 20), shuffled.slice(20, 30)]
    with Journal(path) as journal:
        journal.add(Entry((7,)), pa.concat_tables(pieces))
    [(_, kept)] = read_journal(path)
    assert (kept.first, kept.last) == (100, 149)
    assert bits(kept.between(0, 1_000)) == bits(numbered(table, 100))
    assert kept.between(0, 1_000).schema == numbered(table, 100).schema
    assert bits(kept.between(110, 113)) == bits(numbered(table.slice(10, 3), 110))
    assert kept.between(150, 160).num_rows == 0


def bits(table):
    """Its values, NaN equal to itself."""
    return repr(table.to_pydict())


class Breaking:
    """A file that is full after some bytes, which it takes a few at a time."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        taken = self._file.write(data[: min(100, self._room)])
        self._room -= taken
        if not taken:
            raise OSError(28, "No space left on device")
        return taken

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_a_write_that_fails_anywhere_takes_nothing_away(tmp_path):
    whole = tmp_path / "whole.journal"
    start = written(whole, ENTRIES[:2])[-1]
    size = whole.stat().st_size - start
    for room in range(0, size, 37):
        path = tmp_path / f"{room}.journal"
        with Journal(path) as journal:
            journal.add(ENTRIES[0], rows(0, 3))
            journal._file = Breaking(journal._file, room)
            with pytest.raises(
                InputError, match=r"\.journal: cannot be written: No space left on device; make"
            ):
                journal.add(ENTRIES[1], rows(10, 3))
            assert read(path) == ALL[:1]
            assert path.stat().st_size == start
            # Room is made, and the same process goes on.
            journal._file = journal._file._file
            journal.add(ENTRIES[1], rows(10, 3))
        assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_entry_that_is_interrupted_is_not_there(tmp_path, monkeypatch, error):
    path = tmp_path / "a.journal"

    def interrupt(handle):
        raise error

    with Journal(path) as journal:
        journal.add(ENTRIES[0], rows(0, 3))
        monkeypatch.setattr(journal_module.os, "fsync", interrupt)
        with pytest.raises(error):
            journal.add(ENTRIES[1], rows(10, 3))
    assert read(path) == ALL[:1]


def test_what_outlives_a_loss_of_power_is_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(journal_module.os, "fsync", synced.append)
    for is_lasting in (False, True):
        with Journal(tmp_path / f"{is_lasting}.journal", is_lasting=is_lasting) as journal:
            for number, entry in enumerate(ENTRIES):
                journal.add(entry, rows(10 * number, 3))
                assert len(synced) >= (number + 1) * is_lasting
        assert bool(synced) == is_lasting


CHILD = """
import sys
from pathlib import Path
import pyarrow as pa
from janusdna_cli.errors import InputError
from janusdna_cli.runs.journal import Entry, Journal
from janusdna_cli.runs.rows import numbered

with Journal(Path(sys.argv[1])) as journal:
    try:
        for number in range(1000):
            journal.add(Entry((number,)), numbered(pa.table({"value": ["x" * 500] * 3}), 3 * number))
    except InputError as error:
        print(number, error)
"""


def test_a_full_disk_leaves_the_entries_before(tmp_path):
    path = tmp_path / "a.journal"

    def no_more_than_a_few_kilobytes():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    done = subprocess.run(
        [sys.executable, "-c", CHILD, path], text=True, capture_output=True, check=True, timeout=60,
        preexec_fn=no_more_than_a_few_kilobytes,
    )  # fmt: skip
    number, _, said = done.stdout.strip().partition(" ")
    assert said.startswith(f"{path}: cannot be written: File too large; make room")
    assert int(number) >= 3
    assert [entry.units for entry, _ in read_journal(path)] == [(n,) for n in range(int(number))]
    assert path.stat().st_size <= 10_000


def test_the_checksum_is_of_all_that_follows_the_head(tmp_path):
    """As docs/formats.md has it: magic, CRC-32, two sizes; JSON; Arrow."""
    path = tmp_path / "a.journal"
    written(path, ENTRIES[:1])
    data = path.read_bytes()
    json_size, arrow_size = int.from_bytes(data[12:16], "little"), int.from_bytes(data[16:24], "little")
    assert data[:8] == b"janusdna"
    body = data[24 : 24 + json_size + arrow_size]
    assert int.from_bytes(data[8:12], "little") == zlib.crc32(body)
    assert pa.ipc.open_stream(body[json_size:]).read_all().equals(rows(0, 3))
    assert Path(path).stat().st_size % 64 == 0
