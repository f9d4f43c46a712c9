"""What is installed: two packages, one program, one version."""

import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import janusdna
import janusdna_cli

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def python(*arguments, cwd):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed, and the test may not fetch it")
    folder = tmp_path_factory.mktemp("wheel")
    built = python("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheels_top_level_is_two_packages(wheel):
    top = {name.partition("/")[0] for name in wheel.namelist()}
    assert top == {"janusdna", "janusdna_cli", f"janusdna-{janusdna.__version__}.dist-info"}


def test_the_wheel_holds_every_module(wheel):
    packed = {name for name in wheel.namelist() if name.endswith(".py")}
    modules = [*(ROOT / "models").rglob("*.py"), *(ROOT / "janusdna_cli").rglob("*.py")]
    assert packed == {path.relative_to(ROOT).as_posix().removeprefix("models/") for path in modules}


def test_the_wheel_brings_the_bundled_model(wheel):
    folder = "janusdna/weights/janusdna-32"
    files = {
        name: wheel.getinfo(name).file_size
        for name in wheel.namelist()
        if name.startswith("janusdna/weights")
    }
    backgrounds = [f"{folder}/background-1024-{context}-128-rc.json" for context in ("centered", "tiled")]
    assert set(files) == {f"{folder}/config.json", f"{folder}/model.safetensors", *backgrounds}
    assert sum(files.values()) <= 8_000_000
    described = json.loads(wheel.read(f"{folder}/config.json"))
    digest = hashlib.sha256(wheel.read(f"{folder}/model.safetensors")).hexdigest()
    assert (described["name"], described["weights_sha256"]) == ("janusdna-32", digest)
    for name in backgrounds:
        assert files[name] <= 200_000
        assert json.loads(wheel.read(name))["model"] == {"name": "janusdna-32", "sha256": digest}


def test_the_wheel_brings_what_published_weights_compute(wheel):
    (answer,) = json.loads(wheel.read("janusdna_cli/model_store/known_answers.json"))
    assert len(answer["hidden"]) == 72


def test_the_wheel_names_its_program_and_licence(wheel):
    info = f"janusdna-{janusdna.__version__}.dist-info"
    assert "janusdna = janusdna_cli.app:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert f"{info}/licenses/LICENSE" in wheel.namelist()


def test_there_is_one_version(wheel):
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert (
        re.search(r"^Version: (.+)$", wheel.read(metadata).decode(), re.MULTILINE)[1] == janusdna.__version__
    )
    assert importlib.metadata.version("janusdna") == janusdna.__version__


def test_the_changelog_knows_the_version():
    release = janusdna.__version__.partition(".dev")[0]
    assert re.search(rf"^## .*{re.escape(release)}", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_models_cannot_be_imported(tmp_path):
    outside = python("-c", "import models", cwd=tmp_path)
    assert "No module named 'models'" in outside.stderr


@pytest.mark.parametrize("package", [janusdna, janusdna_cli])
def test_what_is_exported_is_there(package):
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


def test_python_m_works_from_anywhere(tmp_path):
    result = python("-m", "janusdna_cli", "--version", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, f"janusdna {janusdna.__version__}\n")


def test_constraints_pin_all_that_ci_installs():
    def canonical(name):
        return re.sub(r"[-_.]+", "-", name).lower()

    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["dev"], *extras["workflow"], "hatchling", "editables"]
    needed = {canonical(re.match(r"[\w.-]+", requirement)[0]) for requirement in asked}
    assert needed - {canonical(line.partition("==")[0]) for line in lines} == set()
