import errno
import os
import sys
from pathlib import Path

import pytest

from janusdna_cli.errors import InputError, ReaderGoneError
from janusdna_cli.outputs.destinations import StandardOutput, check_destination, reported, written_aside


def write(path, text="mine", *, overwrite=False, meanwhile=lambda: None):
    with written_aside(str(path), overwrite=overwrite) as aside:
        aside.write_text(text)
        meanwhile()


def refuse(*_, **__):
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_an_existing_output_is_refused_before_any_work(tmp_path):
    path = tmp_path / "out.tsv"
    path.write_text("old")
    with pytest.raises(InputError, match=r"out\.tsv: exists; pass --overwrite to replace it"):
        check_destination(str(path), overwrite=False)
    with pytest.raises(InputError, match="exists"), written_aside(str(path), overwrite=False):
        pytest.fail("the body ran")
    check_destination(str(path), overwrite=True)
    check_destination("-", overwrite=False)


def test_folders_are_checked(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="is a folder"):
        check_destination(str(tmp_path), overwrite=True)
    with pytest.raises(InputError, match=r"missing does not exist; create it"):
        check_destination(str(tmp_path / "missing" / "out.tsv"), overwrite=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="is not writable"):
        check_destination(str(tmp_path / "out.tsv"), overwrite=False)


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "link.tsv").symlink_to(tmp_path / "real.tsv")
    write(tmp_path / "link.tsv")
    assert (tmp_path / "link.tsv").is_symlink()
    assert (tmp_path / "real.tsv").is_file()


def test_the_umask_decides_who_may_read(tmp_path):
    write(tmp_path / "out.tsv")
    (tmp_path / "plain").touch()
    assert (tmp_path / "out.tsv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_written_aside_for_other_writers(tmp_path):
    with written_aside(str(tmp_path / "out.vcf"), overwrite=False) as path:
        path.write_text("x")
        assert path.suffix == ".part"
    assert [found.name for found in tmp_path.iterdir()] == ["out.vcf"]


def kept(caught, folder, name):
    """What the error says is kept, and that nothing else is there but what stands under the name."""
    told = Path(str(caught.value).rpartition("what was to be written is ")[2])
    assert sorted(folder.iterdir()) == sorted([told, folder / name])
    return told


@pytest.mark.parametrize("has_links", [True, False])
def test_what_was_made_meanwhile_stays_and_so_does_what_is_finished(tmp_path, monkeypatch, has_links):
    path = tmp_path / "out.tsv.gz"
    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(InputError, match=r"out\.tsv\.gz: something else made it meanwhile") as caught:
        write(path, meanwhile=lambda: path.write_text("theirs"))
    assert path.read_text() == "theirs"
    told = kept(caught, tmp_path, path.name)
    assert told.read_text() == "mine"
    assert told.name.endswith(".out.tsv.gz")
    assert not told.name.startswith(".")
    write(path, overwrite=True, meanwhile=lambda: path.write_text("theirs, again"))
    assert path.read_text() == "mine"


def test_a_file_system_without_links(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "out.tsv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_made_meanwhile(tmp_path):
    path = tmp_path / "out.tsv"
    with pytest.raises(InputError, match=r"out\.tsv: cannot be written: Is a directory") as caught:
        write(path, overwrite=True, meanwhile=path.mkdir)
    assert kept(caught, tmp_path, path.name).read_text() == "mine"


@pytest.mark.parametrize("name", ["x" * 251 + ".tsv", "\u00e9" * 125 + ".tsv", "\U0001f9ec" * 62 + ".gz"])
def test_long_names(tmp_path, name):
    path = tmp_path / name
    write(path)
    assert [found.name for found in tmp_path.iterdir()] == [name]
    path.unlink()
    with pytest.raises(InputError) as caught:
        write(path, meanwhile=lambda: path.write_text("theirs"))
    assert kept(caught, tmp_path, name).suffix == path.suffix


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(InputError, match="cannot be written: File name too long"):
        check_destination(str(tmp_path / ("x" * 252 + ".tsv")), overwrite=False)


def test_a_name_that_is_no_text(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tsv"))
    write(path)
    assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9.tsv"]  # noqa: PTH208 - bytes


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_that_is_closed(monkeypatch, name):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(InputError, match=f"{name}: standard output is closed"):
        check_destination(name, overwrite=False)


def test_a_pipe_whose_reader_has_gone(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def write_late():
        with written_aside(str(path), overwrite=False) as itself, reported(str(path)):
            assert itself == path
            with path.open("wb", buffering=0) as file:
                os.close(reader)
                file.write(b"x")

    with pytest.raises(ReaderGoneError):
        write_late()


def test_standard_output_stays_open(capfdbinary):
    stream = StandardOutput()
    stream.write(b"x")
    stream.close()
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == b"x"
    with pytest.raises(ValueError, match="closed"):
        stream.write(b"y")
