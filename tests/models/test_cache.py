"""Where things are kept between runs."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from janusdna import cache
from janusdna.cache import cache_folder, model_folder
from janusdna.reader import find_named


def test_the_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine" / "janusdna"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "janusdna"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a user without a home has their cache."""

    def nowhere() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cache._among_temporary_files.cache_clear()
    yield tmp_path
    cache._among_temporary_files.cache_clear()


def test_a_user_without_a_home(temporary: Path) -> None:
    folder = cache_folder()
    assert folder == temporary / f"janusdna-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    cache._among_temporary_files.cache_clear()  # as the next run
    assert cache_folder() == folder


@pytest.mark.parametrize("planted", ["writable", "link", "file", "another's"])
def test_what_somebody_else_put_there_is_not_used(
    temporary: Path, planted: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = temporary / f"janusdna-{os.getuid()}"
    if planted == "link":
        (temporary / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(temporary / "elsewhere")
    elif planted == "file":
        place.touch()
    else:
        place.mkdir(mode=0o700)
        if planted == "writable":
            place.chmod(0o777)
        else:
            stranger = os.getuid() + 1
            place.rename(temporary / f"janusdna-{stranger}")
            monkeypatch.setattr(os, "getuid", lambda: stranger)
    folder = cache_folder()
    assert folder.parent == temporary
    assert folder.name.startswith("janusdna-")
    assert folder.name != f"janusdna-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache_folder() == folder
    [record] = caplog.records
    assert "is not this user's own" in record.getMessage()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a", "~", ".hidden", "a b"])
def test_a_path_is_no_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert model_folder(name) is None
    assert find_named(name) is None


def test_a_model_is_there_when_its_configuration_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "janusdna" / "models" / "janusdna-72"
    assert model_folder("janusdna-72") == folder
    folder.mkdir(parents=True)
    assert find_named("janusdna-72") is None
    (folder / "config.json").touch()
    assert find_named("janusdna-72") == folder
