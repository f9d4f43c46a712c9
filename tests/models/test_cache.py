"""Where things are kept between runs."""

import tempfile
from pathlib import Path

import pytest

from janusdna.cache import cache_folder, model_folder
from janusdna.reader import find_named


def test_the_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine" / "janusdna"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "janusdna"


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert cache_folder() == Path(tempfile.gettempdir()) / "janusdna"


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
