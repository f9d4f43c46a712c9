"""The commands and programs of the README and of the tutorial, run in their order in an empty folder.

A ```console block holds commands after `$ ` and, where the page shows it, what they print on either
stream, with `...` for what differs from run to run. A ```python block is a program; a shape in a comment
after a `print` is what it prints. Other blocks are not run.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[1]
README, TUTORIAL = ROOT / "README.md", ROOT / "docs/tutorial.md"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Step(NamedTuple):
    """A command line or a program, and what it prints where the README shows it."""

    kind: str
    text: str
    shown: str


def steps(page):
    found = []
    for kind, body in BLOCK.findall(page.read_text()):
        if kind == "python":
            shapes = re.findall(r"^print\(.*#.*?(\([\d, ]+\))", body, re.MULTILINE)
            found.append(Step(kind, body, "".join(f"...{shape}\n" for shape in shapes)))
            continue
        first, *commands = re.split(r"^\$ ", body, flags=re.MULTILINE)
        assert not first, f"a console block starts with {first!r}, expected '$ '"
        found += [Step(kind, *command.partition("\n")[::2]) for command in commands]
    return found


def run(step, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JANUSDNA_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    argv = [sys.executable, "-c"] if step.kind == "python" else ["bash", "-euo", "pipefail", "-c"]
    return subprocess.run(
        [*argv, step.text],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def outputs(command):
    words = shlex.split(command)
    return [value for option, value in pairwise(words) if option == "-o" and value != "-"]


def matches(printed, shown):
    pattern = ".*".join(re.escape(part) for part in shown.split("..."))
    return re.fullmatch(pattern, printed) is not None


def run_all(page, folder):
    """Run every step of a page, each of which prints what is shown and writes what it names."""
    for step in steps(page):
        result = run(step, folder)
        assert result.returncode == 0, f"{step.text}\n{result.stdout}"
        if step.shown:
            assert matches(result.stdout, step.shown), f"{step.text}\n{result.stdout}"
        if step.kind == "console":
            assert [name for name in outputs(step.text) if not (folder / name).stat().st_size] == []


@pytest.mark.long
def test_the_tutorial_runs_as_written(tmp_path):
    run_all(TUTORIAL, tmp_path)
    ranked = pd.read_csv(tmp_path / "ranked.tsv", sep="\t")
    assert ranked["id"].tolist()[:2] == ["in_microsatellite", "insertion"]
    assert ranked["id"][ranked["delta_pll"].idxmin()] == "insertion"


@pytest.mark.long
def test_every_step_runs_and_metadata_have_the_documented_fields(tmp_path):
    """One test: processes that share the tests would each run the README."""
    folder = tmp_path
    run_all(README, folder)
    assert {"emb.parquet", "scores.parquet", "again.parquet"} <= {path.name for path in folder.iterdir()}
    check_metadata(folder / "scores.parquet", without=set())
    check_metadata(folder / "emb.parquet", without={"scores", "span", "context", "background"})


def check_metadata(path, without):
    text = (ROOT / "docs/formats.md").read_text()
    example = json.loads(re.search(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1])
    metadata = json.loads(pq.read_metadata(path).metadata[b"janusdna"])
    of_regions = {"pool", "strand_aware", "layer", "embedding_dtype"} if "span" in without else set()
    assert set(metadata) == set(example) - without | of_regions
    assert set(metadata["kernels"]) == set(example["kernels"])
    assert set(metadata["model"]) == set(example["model"])


def test_the_commands_of_the_mission_are_run():
    commands = [step.text for step in steps(README) if step.kind == "console"]
    for name in ("demo", "embed", "score-variants", "pretrain"):
        assert any(command.startswith(f"janusdna {name} ") for command in commands)


def test_it_starts_with_the_two_commands_of_the_makefile():
    first = re.search(r"^```sh\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)[1]
    assert re.findall(r"^make (\w+)", first, re.MULTILINE) == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in ("demo", "test"))


def test_the_checker_sees_a_difference():
    assert matches("a 1.5 s\nb\n", "a ... s\nb\n")
    assert not matches("a 1.5 s\nc\n", "a ... s\nb\n")
    assert outputs("janusdna embed g.fa r.bed -o a.parquet") == ["a.parquet"]
