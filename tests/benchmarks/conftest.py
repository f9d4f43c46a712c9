"""The scripts of benchmarks/, run and imported."""

import importlib
import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    """Imports a file of benchmarks/."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a script with arguments, as `python benchmarks/NAME.py` does; what it prints comes back."""

    def run(name, *arguments):
        path = SCRIPTS / f"{name}.py"
        monkeypatch.syspath_prepend(str(SCRIPTS))
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return run
