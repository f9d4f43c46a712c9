"""The commands themselves: help, models, demo, doctor, what the packages export."""

import subprocess
import sys

import pandas as pd
import pytest

import janusdna
import janusdna_cli

COMMANDS = ["embed", "score-variants", "models list", "models convert", "models info", "demo", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(work, command):
    result = work.run(*command.split(), "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"Example: janusdna {command}" in " ".join(result.stdout.split())


def test_help_loads_no_torch():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom janusdna_cli.app import app\n"
        f"for c in {COMMANDS!r}: assert CliRunner().invoke(app, [*c.split(), '--help']).exit_code == 0\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("package", [janusdna, janusdna_cli])
def test_everything_exported_is_there(package):
    assert sorted(set(package.__all__)) == sorted(package.__all__, key=str)
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        package.nothing_of_this_name  # noqa: B018


def test_no_model_says_what_to_do(work, bases):
    result = work.run("embed", work.fasta(c=bases(50)))
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "--model" in result.stderr


def test_demo_runs(work):
    result = work.run("demo", "d", "--run", "--quiet")
    assert result.exit_code == 0, result.output
    scores = pd.read_parquet("d/scores.parquet")
    assert scores["status"].value_counts().to_dict() == {
        "ok": 16, "symbolic": 1, "ref_mismatch": 1, "no_contig": 1,
    }  # fmt: skip
    statuses = pd.read_parquet("d/embeddings.parquet")["status"]
    assert statuses.tolist() == ["ok"] * 10 + ["out_of_contig"]
    assert "untrained" in result.stderr
    again = work.run("demo", "d")
    assert (again.exit_code, "is not empty" in again.stderr) == (1, True)
