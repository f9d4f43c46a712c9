"""`OUTPUT.parts`: one run, one process at a time, nothing left of what is finished or never began."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.runs import folder as folder_module
from janusdna_cli.runs.folder import RunFolder
from janusdna_cli.runs.journal import Entry
from janusdna_cli.runs.rows import numbered

FACTS = {
    "command": ["janusdna", "caf\udce9"],
    "identity": {"--window": 64, "input": {"name": "v", "size": 3}},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return RunFolder.beside("out.parquet")


def start(folder, *, resume=False, overwrite=False, facts=FACTS):
    return folder.opened(facts, resume=resume, overwrite=overwrite)


def add(folder, *units):
    with folder.journal() as journal:
        for unit in units:
            journal.add(Entry((unit,)), numbered(pa.table({"value": ["x"]}), unit))


def done(folder):
    return sorted(unit for entry, _ in folder.entries() for unit in entry.units)


def interrupt(folder, *units, error=KeyboardInterrupt, **how):
    """A run that does some units and is interrupted; what is said of it."""

    def run():
        with start(folder, **how):
            add(folder, *units)
            raise error

    with pytest.raises(error) as caught:
        run()
    return getattr(caught.value, "__notes__", [])


def test_it_is_there_while_the_run_goes_on(folder):
    assert not folder.exists
    with start(folder):
        assert folder.path == Path("out.parquet.parts")
        assert folder.exists
        assert sorted(path.name for path in folder.path.iterdir()) == ["lock", "run.json"]
        assert json.loads((folder.path / "run.json").read_bytes()) == FACTS
        add(folder, 0)
        add(folder, 2, 1)
        assert done(folder) == [0, 1, 2]
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError, SystemExit])
def test_what_is_done_stays_and_a_note_says_how_to_go_on(folder, error):
    notes = interrupt(folder, 3, 4, error=error)
    assert notes == ["what is done is kept in out.parquet.parts: go on with --resume"]
    assert done(folder) == [3, 4]
    with start(RunFolder.beside("out.parquet"), resume=True):
        assert done(folder) == [3, 4]
        add(folder, 5)
        assert done(folder) == [3, 4, 5]
    assert list(Path().iterdir()) == []


def test_nothing_stays_where_nothing_is_done(folder):
    assert interrupt(folder) == []
    assert list(Path().iterdir()) == []
    (folder.path).mkdir()
    assert interrupt(folder, resume=True) == []
    assert list(Path().iterdir()) == []


def test_a_journal_without_an_entry_is_nothing(folder):
    """As a disk leaves it that is full at the first byte."""

    def run():
        with start(folder):
            folder.journal().path.touch()
            raise InputError("full")

    with pytest.raises(InputError) as caught:
        run()
    assert not hasattr(caught.value, "__notes__")
    assert list(Path().iterdir()) == []


def test_an_unfinished_run_is_an_error_that_says_what_to_do(folder):
    interrupt(folder, 1)
    with pytest.raises(InputError) as caught, start(folder):
        pass
    assert str(caught.value) == (
        "out.parquet.parts: an unfinished run is there; pass --resume to go on with it, or --overwrite "
        "to start anew"
    )
    assert done(folder) == [1]


def test_overwrite_forgets_it(folder):
    interrupt(folder, 1)
    with start(folder, overwrite=True, facts={"identity": {"--window": 8}}):
        assert done(folder) == []
        assert json.loads((folder.path / "run.json").read_bytes()) == {"identity": {"--window": 8}}
    assert list(Path().iterdir()) == []


def test_resume_where_nothing_is_starts(folder):
    with start(folder, resume=True):
        assert folder.read_facts() == FACTS
    assert list(Path().iterdir()) == []


def test_resume_goes_on_with_the_facts_of_the_start(folder):
    interrupt(folder, 1)
    later = RunFolder.beside("out.parquet")
    with start(later, resume=True, facts=FACTS | {"command": ["janusdna", "--resume"]}):
        assert later.read_facts() == FACTS


def test_another_run_is_not_gone_on_with(folder):
    interrupt(folder, 1)
    other = {"identity": {"--window": 128, "input": {"name": "v", "size": 4}, "--span": 5}}
    with pytest.raises(InputError) as caught, start(folder, resume=True, facts=other):
        pass
    assert str(caught.value) == (
        "out.parquet.parts: was started with --window 64, and not 128; input size 3, and not 4; "
        "--span none, and not 5; pass the same again, or --overwrite to start anew"
    )
    assert not hasattr(caught.value, "__notes__")
    assert done(folder) == [1]
    assert folder.exists


def test_a_folder_without_its_facts_holds_no_run(folder):
    """As a process leaves it that is killed when it begins, or when it clears away what is finished."""
    for how in ({}, {"resume": True}, {"overwrite": True}):
        folder.path.mkdir()
        for name in ("lock", ".run.json", "0.journal"):
            (folder.path / name).write_text("x")
        assert not folder.exists
        with start(folder, **how):
            assert sorted(path.name for path in folder.path.iterdir()) == ["lock", "run.json"]
        assert list(Path().iterdir()) == []
    folder.path.mkdir()
    folder.clear()
    folder.clear()
    assert list(Path().iterdir()) == []


HOLD = """
import sys
from janusdna_cli.runs.folder import RunFolder
with RunFolder.beside("out.parquet").opened({"identity": {}}, resume=False, overwrite=False):
    print("here", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time(folder):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "here\n"
        for how in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(InputError) as caught, start(folder, facts={"identity": {}}, **how):
                pass
            assert str(caught.value) == "out.parquet.parts: another run works on it; wait for its end"
        assert folder.exists
        holder.kill()  # who dies keeps nothing locked
        holder.wait()
        with start(folder, resume=True, facts={"identity": {}}):
            pass
        assert list(Path().iterdir()) == []
    finally:
        holder.kill()
        holder.communicate()


def test_a_file_system_without_locks_has_none(folder, monkeypatch):
    def no_locks(*arguments):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(folder_module.fcntl, "flock", no_locks)
    with start(folder):
        add(folder, 1)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("moment", ["fcntl.flock", "pathlib.Path.open"])
def test_a_signal_before_the_run_has_begun_leaves_nothing(folder, monkeypatch, moment):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(moment, interrupted)
        with pytest.raises(KeyboardInterrupt), start(folder):
            pass
    assert list(Path().iterdir()) == []


def test_a_file_that_cannot_go_yet_is_no_run(folder, monkeypatch):
    """NFS keeps what is open under another name: the run is finished all the same."""
    real = folder_module.shutil.rmtree

    def keeps_one(path, ignore_errors=False):
        assert ignore_errors
        (path / ".nfs0001").touch()

    monkeypatch.setattr(folder_module.shutil, "rmtree", keeps_one)
    with start(folder):
        add(folder, 1)
    assert not folder.exists
    monkeypatch.setattr(folder_module.shutil, "rmtree", real)
    with start(folder):
        assert done(folder) == []
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interruption_of_the_clearing_away_does_not_keep_it_from_that(folder, monkeypatch, when):
    real = folder_module.shutil.rmtree

    def interrupted(path, ignore_errors=False):
        monkeypatch.setattr(folder_module.shutil, "rmtree", real)
        if when == "after":
            (path / "lock").unlink()
        raise KeyboardInterrupt

    def run():
        with start(folder):
            add(folder, 1)
            monkeypatch.setattr(folder_module.shutil, "rmtree", interrupted)

    with pytest.raises(KeyboardInterrupt) as caught:
        run()
    assert not hasattr(caught.value, "__notes__")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", ["a" * 247 + ".parquet", "\u03b1" * 123 + ".parquet"])
def test_an_output_whose_name_is_as_long_as_may_be(folder, name):
    long = RunFolder.beside(name)
    with start(long):
        assert long.path.exists()
        assert long.path.name.endswith(".parquet.parts")
    assert list(Path().iterdir()) == []


def test_beside_the_file_that_a_link_leads_to(folder):
    """Where it is on another disk, what is finished could not be moved there."""
    Path("elsewhere").mkdir()
    Path("out.parquet").symlink_to("elsewhere/real.parquet")
    assert RunFolder.beside("out.parquet").path == Path("elsewhere/real.parquet.parts").resolve()


def test_a_place_that_cannot_be_written(folder):
    with (
        pytest.raises(InputError, match=r"^no/out\.parquet\.parts: cannot be written: No such file"),
        start(RunFolder.beside("no/out.parquet")),
    ):
        pass
