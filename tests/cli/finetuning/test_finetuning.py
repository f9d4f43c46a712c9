"""`finetune`, `predict` and `probe`: what they leave, how they end and go on, what they refuse."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, roc_auc_score

from janusdna_cli.finetuning import baselines

from ..conftest import Workspace
from ..training.test_pretraining import same
from .conftest import motif_table, report, words


def started(arguments: list[str], *launcher: str) -> subprocess.Popen:
    command = [sys.executable, *launcher, "-m", "janusdna_cli", *arguments]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def finished(arguments: list[str], *launcher: str) -> str:
    process = started(arguments, *launcher)
    _, said = process.communicate(timeout=400)
    assert process.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def whole(place: Path) -> Path:
    """A run that nothing disturbed."""
    result = Workspace(place, place / "tiny").run(*words(place, "whole"))
    assert result.exit_code == 0, result.output
    (place / "whole-said").write_text(result.stderr)
    return place / "whole"


def test_a_run_says_what_it_learns(place: Path, whole: Path) -> None:
    said = (place / "whole-said").read_text()
    assert "two classes: 0, 1; 120 sequences (96 train, 12 valid, 12 test)" in said
    assert re.search(r"test accuracy: fine-tuned [\d.]+ \[.*\], probe .*, k-mers .* -> ", said)


def test_a_run_leaves_what_is_promised(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert {
        "model",
        "metrics.jsonl",
        "predictions.parquet",
        "report.json",
        "report.md",
        "curves.png",
    } <= names
    assert {"roc.png", "precision_recall.png", "confusion.png", "config.json", "checkpoints"} <= names
    assert {path.name for path in (whole / "model").iterdir()} == {
        *("config.json", "model.safetensors", "head.safetensors", "task.json")
    }
    task = json.loads((whole / "model" / "task.json").read_text())
    assert task["task"]["labels"] == ["0", "1"]
    assert set(task["metrics"]) == {"accuracy", "mcc", "f1", "auroc", "auprc"}


def test_the_report_is_of_the_predictions_that_are_kept(whole: Path) -> None:
    table = pd.read_parquet(whole / "predictions.parquet")
    for method, found in report(whole)["test"].items():
        tested = table[(table.method == method) & (table.part == "test")]
        assert len(tested) == 12
        metrics = found["metrics"]
        assert metrics["accuracy"]["value"] == pytest.approx(accuracy_score(tested.label, tested.pred))
        assert metrics["auroc"]["value"] == pytest.approx(roc_auc_score(tested.label == "1", tested.p_1))
        assert metrics["auroc"]["low"] <= metrics["auroc"]["value"] <= metrics["auroc"]["high"]
    assert set(report(whole)["test"]) == {"fine-tuned", "probe", "k-mers"}


@pytest.mark.parametrize("batch", [None, 41, 10_000])
def test_predict_tells_what_the_run_kept(place: Path, whole: Path, work, batch) -> None:
    arguments = ["predict", place / "x.tsv", "-m", whole / "model", "-o", "pred.parquet"]
    found = work.run(*arguments, *(() if batch is None else ("--batch-bp", batch)))
    assert found.exit_code == 0, found.output
    told = pd.read_parquet("pred.parquet")
    assert told.id.tolist() == [f"s{number}" for number in range(120)]
    kept = pd.read_parquet(whole / "predictions.parquet").query("method == 'fine-tuned'").set_index("id")
    again = told.set_index("id").loc[kept.index]
    for column in ("p_0", "p_1", "logit_0", "logit_1"):
        np.testing.assert_allclose(again[column], kept[column], atol=1e-5)
    assert (again.pred == kept.pred).all()


def test_predict_loses_no_row(place: Path, whole: Path, work) -> None:
    table = work.file("y.tsv", "id\tsequence\na\tACGTACGT\nb\t\nc\tAC\nd\tACG!T\ne\tNNNNN\nf\tacguacgu\n")
    result = work.run("predict", table, "-m", whole / "model", "-o", "-")
    assert result.exit_code == 0, result.output
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[0][:3] == ["id", "status", "pred"]
    assert [row[1] for row in rows[1:]] == ["ok", "empty", "too_short", "not_nucleotides", "non_acgt", "ok"]
    assert rows[1][3:] == rows[6][3:]
    assert "6 sequences: 2 ok, 1 empty, 1 non_acgt, 1 not_nucleotides, 1 too_short" in result.stderr


def test_predict_is_resumed_and_shared_out(place: Path, whole: Path, work) -> None:
    arguments = ["predict", place / "x.tsv", "-m", whole / "model"]
    assert work.run(*arguments, "-o", "one.parquet").exit_code == 0
    for part in (1, 2):
        assert work.run(*arguments, "-o", "parts", "--shard", f"{part}/2").exit_code == 0
    merged = work.run("merge", "parts", "-o", "two.parquet")
    assert merged.exit_code == 0, merged.output
    pd.testing.assert_frame_equal(pd.read_parquet("one.parquet"), pd.read_parquet("two.parquet"))


def test_other_commands_read_the_backbone(place: Path, whole: Path, work, caplog) -> None:
    fasta = work.fasta(chr1="ACGTTGCA" * 20)
    result = work.run("embed", fasta, work.bed("chr1 5 60"), "-m", whole / "model", "-o", "e.parquet")
    assert result.exit_code == 0, result.output
    assert "is fine-tuned on labels of x.tsv: its backbone is read, not its head" in result.stderr
    shown = work.run("models", "info", whole / "model")
    assert shown.exit_code == 0, shown.output
    assert "fine-tuned" in shown.output


def weights(run: Path) -> dict:
    return {
        f"{file}:{name}": tensor
        for file in ("model", "head")
        for name, tensor in load_file(run / "model" / f"{file}.safetensors").items()
    }


def ended_after(lines: int, how: signal.Signals, run: Path, arguments: list[str]) -> tuple[int, str]:
    """A run that gets a signal when it has made so many steps."""
    process = started([*arguments, "--resume"])
    path = run / "metrics.jsonl"
    while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= lines):
        time.sleep(0.005)
    process.send_signal(how)
    _, said = process.communicate()
    return process.returncode, said


def test_ended_and_resumed_all_is_the_same(place: Path, whole: Path) -> None:
    """Terminated, when it writes a checkpoint first, then killed, when it does not."""
    run, arguments = place / "ended", words(place, "ended", checkpoint_every=5)
    code, said = ended_after(3, signal.SIGTERM, run, arguments)
    assert code == 143, said
    assert "--resume goes on from there" in said
    assert ended_after(9, signal.SIGKILL, run, arguments)[0] == -signal.SIGKILL
    said = finished([*arguments, "--resume"])
    assert "going on after step" in said
    assert same(weights(run), weights(whole))
    one, other = report(run), report(whole)
    assert one["test"] == other["test"]
    assert one["valid"] == other["valid"]
    pd.testing.assert_frame_equal(*(pd.read_parquet(each / "predictions.parquet") for each in (run, whole)))
    assert json.loads((run / "model" / "task.json").read_text())["metrics"]


@pytest.mark.long
def test_two_processes_learn_as_one(place: Path, whole: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    finished(words(place, "two", threads=1), *launcher)

    def curve(run: Path, name: str) -> list[float]:
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return [line[name] for line in lines if name in line]

    for name in ("loss", "valid_auroc"):
        np.testing.assert_allclose(curve(place / "two", name), curve(whole, name), atol=1e-3)
    assert report(place / "two")["test"].keys() == report(whole)["test"].keys()


def test_seeds_and_folds_are_trainings_of_their_own(place: Path, work) -> None:
    arguments = words(place, "folds", split=None, folds=3, seeds="1,2", epochs=1, baselines="none")
    result = work.run(*arguments)
    assert result.exit_code == 0, result.output
    table = pd.read_parquet(place / "folds" / "predictions.parquet")
    tested = table[(table.method == "fine-tuned") & (table.part == "test")]
    assert tested.groupby("seed").id.apply(sorted).map(len).tolist() == [120, 120]
    assert tested.groupby("seed").id.nunique().tolist() == [120, 120]
    found = report(place / "folds")
    assert len(found["sequences"]) == 6
    each = [accuracy_score(one.label, one.pred) for _, one in tested.groupby("seed")]
    accuracy = found["test"]["fine-tuned"]["metrics"]["accuracy"]
    assert accuracy["value"] == pytest.approx(np.mean(each))
    assert accuracy["spread"] == pytest.approx(np.std(each, ddof=1))
    again = work.run(*arguments, "--resume")
    assert again.exit_code == 0, again.output
    pd.testing.assert_frame_equal(table, pd.read_parquet(place / "folds" / "predictions.parquet"))


def test_no_training_begins_where_another_one_ended(place: Path, whole: Path, work) -> None:
    """Neither the next seed nor the probe, which comes after."""
    for seeds in ("1,2", "2"):
        options = {"seeds": seeds, "epochs": 1, "baselines": "linear", "output": work.folder / seeds}
        result = work.run(*words(place, seeds, **options))
        assert result.exit_code == 0, result.output
    both, second = (
        pd.read_parquet(f"{seeds}/predictions.parquet").query("seed == 2 and method == 'fine-tuned'")
        for seeds in ("1,2", "2")
    )
    pd.testing.assert_frame_equal(both.reset_index(drop=True), second.reset_index(drop=True))
    alone = work.run("probe", place / "x.tsv", "-m", place / "tiny", "-o", "p", "--split", "part")
    assert alone.exit_code == 0, alone.output
    probed = pd.read_parquet("p/predictions.parquet").query("method == 'probe'").reset_index(drop=True)
    for run in (whole, work.folder / "1,2"):
        kept = pd.read_parquet(run / "predictions.parquet").query("method == 'probe' and seed == 1")
        pd.testing.assert_frame_equal(kept.reset_index(drop=True), probed, atol=1e-4)


def test_from_scratch_stands_beside_it(place: Path, work) -> None:
    result = work.run(*words(place, "all", epochs=1, baselines="all"))
    assert result.exit_code == 0, result.output
    assert set(report(place / "all")["test"]) == {"fine-tuned", "from scratch", "probe", "k-mers"}


@pytest.mark.parametrize(
    "options",
    [
        {"head": "mlp", "pool": "attention", "rc": "both"},
        {"train": "last:1", "pool": "max", "rc": "none", "class_weights": True},
        {"train": "head", "pool": "center", "pad_to": "48", "patience": 1},
        {"metric": "mcc", "last_epoch": True, "from_scratch": True, "rc": "predict"},
        {"split": None, "split_by": "contig", "max_train": 30},
        {"split": None, "where": "part=train"},
    ],
)
def test_every_way_to_train_is_told_again_by_predict(place: Path, work, options) -> None:
    result = work.run(*words(place, str(work.folder / "run"), epochs=1, baselines="none", **options))
    assert result.exit_code == 0, result.output
    assert work.run("predict", place / "x.tsv", "-m", "run/model", "-o", "p.parquet").exit_code == 0
    kept = pd.read_parquet("run/predictions.parquet").set_index("id")
    again = pd.read_parquet("p.parquet").set_index("id").loc[kept.index]
    np.testing.assert_allclose(again.p_1, kept.p_1, atol=1e-5)


def test_numbers_are_told_in_their_own_units(place: Path, work) -> None:
    table = pd.read_csv(place / "x.tsv", sep="\t").assign(label=lambda x: 1000 + x.label * 7.5)
    table.to_csv("r.tsv", sep="\t", index=False)
    result = work.run(*words(place, str(work.folder / "run"), input="r.tsv", epochs=1, task="regression"))
    assert result.exit_code == 0, result.output
    kept = pd.read_parquet("run/predictions.parquet")
    assert kept.pred.between(900, 1100).all()
    assert work.run("predict", "r.tsv", "-m", "run/model", "-o", "p.parquet").exit_code == 0
    kept = kept[kept.method == "fine-tuned"].set_index("id")
    again = pd.read_parquet("p.parquet").set_index("id").loc[kept.index]
    np.testing.assert_allclose(again.pred, kept.pred, atol=1e-3)


def test_several_labels(place: Path, work) -> None:
    table = pd.read_csv(place / "x.tsv", sep="\t")
    table.assign(other=table.index % 3 == 0).to_csv("m.tsv", sep="\t", index=False)
    options = {"input": "m.tsv", "label": "label,other", "epochs": 1}
    result = work.run(*words(place, str(work.folder / "run"), **options))
    assert result.exit_code == 0, result.output
    assert "2 labels, each yes or no: label, other" in result.stderr
    assert {"p_label", "p_other"} <= set(pd.read_parquet("run/predictions.parquet").columns)


def test_variants_are_read_with_ref_and_with_alt(place: Path, work) -> None:
    chance = random.Random(9)
    bases = "".join(chance.choices("ACGT", k=3000))
    fasta = work.fasta(chr1=bases)
    records = []
    for number in range(60):
        at = 50 + number * 45
        records.append(
            f"chr1 {at + 1} . {bases[at]} {'ACGT'.replace(bases[at], '')[number % 3]} . . Y={number % 2}"
        )
    vcf = work.vcf(*records, meta='##INFO=<ID=Y,Number=1,Type=Integer,Description="y">\n')
    options = {"input": vcf, "fasta": fasta, "label": "INFO/Y", "split": None, "window": 64, "epochs": 1}
    result = work.run(*words(place, str(work.folder / "run"), **options))
    assert result.exit_code == 0, result.output
    assert work.run("predict", vcf, "-f", fasta, "-m", "run/model", "-o", "p.parquet").exit_code == 0
    kept = pd.read_parquet("run/predictions.parquet").query("method == 'fine-tuned'").set_index("pos")
    again = pd.read_parquet("p.parquet").set_index("pos").loc[kept.index]
    np.testing.assert_allclose(again.p_1, kept.p_1, atol=1e-5)


def test_a_probe_of_sequences_and_of_their_embeddings(place: Path, work) -> None:
    result = work.run("probe", place / "x.tsv", "-m", place / "tiny", "-o", "p", "--split", "part")
    assert result.exit_code == 0, result.output
    assert set(report(work.folder / "p")["test"]) == {"probe", "k-mers"}
    table = pd.read_csv(place / "x.tsv", sep="\t")
    fasta = work.file("x.fa", "".join(f">{one.id}\n{one.sequence}\n" for one in table.itertuples()))
    embedded = work.run("embed", fasta, "-m", place / "tiny", "-o", "e.parquet", "-w", "64")
    assert embedded.exit_code == 0, embedded.output
    result = work.run("probe", "e.parquet", "--labels", place / "x.tsv", "-o", "q", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert set(report(work.folder / "q")["test"]) == {"probe"}
    again = work.run("probe", "e.parquet", "--labels", place / "x.tsv", "-o", "q")
    assert again.exit_code == 1
    assert "q: holds a run; pass --resume to go on, --overwrite to start anew" in again.stderr


def test_linear_models_are_fitted_to_so_many_and_say_so(place: Path, work, monkeypatch) -> None:
    monkeypatch.setattr(baselines, "_MOST", 50)
    fitted = []
    fit = baselines.fit_linear

    def noted(kind, features, labels, **options):
        fitted.append((features.shape[0], len(labels)))
        return fit(kind, features, labels, **options)

    monkeypatch.setattr(baselines, "fit_linear", noted)
    result = work.run("probe", place / "x.tsv", "-m", place / "tiny", "-o", "p", "--split", "part")
    assert result.exit_code == 0, result.output
    assert fitted == [(50, 50)] * 2
    [probe, words] = report(work.folder / "p")["notes"]
    told = "seed-1: fitted to 50 of the 96 sequences to train on, drawn at random."
    assert (probe, words) == (f"probe, {told}", f"k-mers, {told}")


def test_other_options_are_another_run(place: Path, whole: Path, work) -> None:
    result = work.run(*words(place, "whole", lr=1e-4), "--resume")
    assert result.exit_code == 1
    assert "holds a run that was started with --lr 0.003, found --lr 0.0001" in result.stderr
    other = motif_table(work.folder / "x.tsv", seed=2)
    result = work.run(*words(place, "whole", input=other), "--resume")
    assert result.exit_code == 1
    assert "holds a run on another set of sequences and labels" in result.stderr
    assert work.run(*words(place, "whole")).exit_code == 1


def told_by_info(work, path: Path) -> dict:
    result = work.run("info", path, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_info_of_a_run_tells_its_trainings_and_its_test(whole: Path, work) -> None:
    found = told_by_info(work, whole)
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    validated = [line for line in lines if "valid_loss" in line]
    assert (found["kind"], found["finished"]) == ("fine_tuning_run", True)
    [training] = found["trainings"]
    assert (training["name"], training["step"], training["steps"]) == ("seed-1", 18, 18)
    assert training["best"] in validated
    assert training["best"]["valid_auroc"] == max(line["valid_auroc"] for line in validated)
    assert found["test"] == report(whole)["test"]
    shown = work.run("info", whole).stdout
    assert re.search(r"holds +a fine-tuning run\n", shown)
    assert re.search(r"test +fine-tuned accuracy [\d.]+, probe accuracy [\d.]+, k-mers accuracy", shown)
    assert told_by_info(work, whole / "metrics.jsonl")["kind"] == "fine_tuning_run"


def test_info_of_a_run_that_is_not_at_its_end(whole: Path, work) -> None:
    shutil.copytree(whole, work.folder / "run")
    (work.folder / "run" / "report.json").unlink()
    found = told_by_info(work, work.folder / "run")
    assert (found["finished"], found["test"]) == (False, None)
    assert "yes, seed-1 after step 18" in work.run("info", "run").stdout
    shutil.rmtree(work.folder / "run" / "checkpoints")
    assert "yes, from the start: it has no checkpoint" in work.run("info", "run").stdout


def test_info_of_predictions_and_of_a_probe(place: Path, whole: Path, work) -> None:
    assert work.run("predict", place / "x.tsv", "-m", whole / "model", "-o", "p.parquet").exit_code == 0
    shown = work.run("info", "p.parquet").stdout
    assert "null" not in shown
    assert "reference" not in shown
    assert re.search(r"labels +0, 1\n", shown)
    result = work.run("probe", place / "x.tsv", "-m", place / "tiny", "-o", "probed", "--split", "part")
    assert result.exit_code == 0, result.output
    found = told_by_info(work, work.folder / "probed")
    assert (found["kind"], found["finished"], found["trainings"]) == ("probe", True, [])
    assert found["test"] == report(work.folder / "probed")["test"]
