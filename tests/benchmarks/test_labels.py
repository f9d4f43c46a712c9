"""Real labels, from their files to the table, on a handful of sequences each."""

import json
from pathlib import Path

import pandas as pd
import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def few(tmp_path):
    """A folder of sequences as in the files, made up."""
    folder = tmp_path / "data" / "labelled"
    folder.mkdir(parents=True)
    lines = [f"{'EIN'[i % 3]},   name-{i // 4},     {'ACGT'[i % 3] * 5}{'ACGTTGCA' * 4}" for i in range(24)]
    (folder / "uci_splice.data").write_text("\n".join(lines) + "\n")
    return tmp_path / "data"


def test_a_task_is_run_and_told(run, few, tmp_path):
    files = ("--data", few, "--runs", tmp_path / "runs", "--json", tmp_path / "out.json")
    options = ("--options", "--folds", 2, "--epochs", 1, "--batch", 8, "--threads", 1)
    printed = run("labels", *files, "--only", "UCI splice", *options)
    [row] = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert (row["task"], row["train"], row["test"]) == ("UCI splice", 12, 24)
    assert "janusdna finetune" in row["command"]
    report = json.loads((tmp_path / "runs" / "UCI_splice" / "run" / "report.json").read_text())
    accuracy = report["test"]["k-mers"]["metrics"]["accuracy"]
    assert row["k-mers"] == f"{accuracy['value']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}]"
    assert "| UCI splice | accuracy | " in printed
    table = pd.read_csv(tmp_path / "runs" / "UCI_splice" / "train.tsv", sep="\t")
    assert (len(table), table.id.nunique()) == (24, 24)


@pytest.mark.skipif(not DATA.is_dir(), reason="the labelled data is not here")
def test_every_task_has_its_files(module):
    for task in module("labels").TASKS:
        train, test = task.make(DATA)
        for rows in (train, test):
            if rows is not None:
                assert len(rows) > 100
                assert rows.id.is_unique
                assert rows.notna().all().all()
                assert rows.label.nunique() in (2, 3)
                assert rows.sequence.str.len().min() >= 3
        assert test is None or set(train.label) == set(test.label)
