"""Which model and which window, and that an input is read a second time only where it can be."""

from janusdna_cli.reading.opening import open_model
from janusdna_cli.reading.settings import ModelSettings
from janusdna_cli.reading.survey import is_seekable


def test_who_names_no_model_gets_the_bundled_one(tmp_path, monkeypatch):
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path)
    assert open_model(ModelSettings()).info.name == "janusdna-32"


def test_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "x"
    path.touch()
    assert is_seekable(str(path))
    assert not is_seekable("-")
    assert not is_seekable("/dev/null")
