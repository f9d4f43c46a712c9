"""The suites in miniatures of their published files: what is found, trained, chosen and told."""

import gzip
import json
import random
from pathlib import Path

import pandas as pd
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.finetuning import writing
from janusdna_cli.finetuning.data import read_data
from janusdna_cli.finetuning.settings import FinetuneSettings
from janusdna_cli.suites.genomic_benchmarks import genomic_benchmarks
from janusdna_cli.suites.nucleotide_transformer import metric_of, nucleotide_transformer

from ..labelled.test_eqtl import make_miniature


def write_genomic_benchmarks(
    folder: Path, tasks: dict[str, list[str]], *, texts: bool, count: int = 10
) -> str:
    """As they are published: coordinates, or one sequence a file."""
    chance = random.Random(0)
    bases = "".join(chance.choices("ACGT", k=2000))
    (folder.parent / "genome.fa").write_text(f">chr1\n{bases}\n")
    for task, classes in tasks.items():
        for part in ("train", "test"):
            for label in classes:
                place = folder / task / part
                place.mkdir(parents=True, exist_ok=True)
                starts = [chance.randrange(1900) for _ in range(count)]
                if texts:
                    (place / label).mkdir()
                    for number, start in enumerate(starts):
                        (place / label / f"{number}.txt").write_text(bases[start : start + 40])
                    continue
                with gzip.open(place / f"{label}.csv.gz", "wt") as file:
                    rows = [f"{number},chr1,{start},{start + 40},+" for number, start in enumerate(starts)]
                    file.write("\n".join(["id,region,start,end,strand", *rows]) + "\n")
        (folder / task / "metadata.yaml").write_text("version: 0\n")
    return str(folder.parent / "genome.fa")


def write_nucleotide_transformer(folder: Path, tasks: list[str], form: str, count: int = 12) -> None:
    """As they are published: a FASTA a part, or tables of all tasks."""
    chance = random.Random(1)
    tables = []
    for task in tasks:
        for part in ("train", "test"):
            rows = [("".join(chance.choices("ACGT", k=30)), f"{task}_{i}", i % 2) for i in range(count)]
            if form == "fna":
                (folder / task).mkdir(parents=True, exist_ok=True)
                text = "".join(f">{name}|{label}\n{bases}\n" for bases, name, label in rows)
                (folder / task / f"{part}.fna").write_text(text)
            tables += [(part, *row, task) for row in rows]
    if form == "parquet":
        folder.mkdir()
        frame = pd.DataFrame(tables, columns=["part", "sequence", "name", "label", "task"])
        for part, some in frame.groupby("part"):
            some.drop(columns="part").to_parquet(folder / f"{part}.parquet")


@pytest.mark.parametrize("texts", [False, True])
def test_genomic_benchmarks_are_found(tmp_path, texts):
    tasks = {
        "human_ensembl_regulatory": ["enhancer", "ocr", "promoter"],
        "dummy_mouse_enhancers_ensembl": ["negative", "positive"],
    }
    fasta = write_genomic_benchmarks(tmp_path / "data", tasks, texts=texts)
    suite = genomic_benchmarks(str(tmp_path / "data"), fasta)
    assert [task.name for task in suite.tasks] == [
        "dummy_mouse_enhancers_ensembl",
        "human_ensembl_regulatory",
    ]
    assert suite.tasks[0].published == {"JanusDNA": 0.770, "Caduceus-PS": 0.793, "HyenaDNA": 0.780}
    assert (suite.protocol.lr, suite.protocol.batch, suite.protocol.seeds) == (
        (1e-3, 2e-3),
        (128, 256, 512),
        (1, 2, 3, 4, 5),
    )
    data = read_data(FinetuneSettings(**suite.tasks[1].files), 64)
    assert data.encoding.names == ("enhancer", "ocr", "promoter")
    assert [item.part for item in data.items] == ["train"] * 30 + ["test"] * 30


@pytest.mark.parametrize("form", ["fna", "parquet"])
def test_nucleotide_transformer_tasks_are_found(tmp_path, form):
    write_nucleotide_transformer(tmp_path / "data", ["H3", "promoter_tata"], form)
    suite = nucleotide_transformer(str(tmp_path / "data"))
    assert [(task.name, task.metric) for task in suite.tasks] == [("H3", "mcc"), ("promoter_tata", "f1")]
    data = read_data(FinetuneSettings(**suite.tasks[0].files), 64)
    assert (len(data.items), data.tested) == (24, 12)
    assert {str(item.keys["id"]).partition("_")[0] for item in data.items} == {"H3"}
    assert len(suite.protocol.seeds) == 10


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        ("H3K14ac", "mcc"), ("enhancers_types", "mcc"), ("promoter_no_tata", "f1"),
        ("splice_sites_donors", "f1"), ("splice_sites_acceptors", "f1"), ("splice_sites_all", "accuracy"),
    ],
)  # fmt: skip
def test_each_task_has_its_metric(task, metric):
    assert metric_of(task) == metric


def test_folders_of_something_else_are_one_line(tmp_path):
    for suite in (lambda path: genomic_benchmarks(path, None), nucleotide_transformer):
        with pytest.raises(InputError, match="found no TASK"):
            suite(str(tmp_path))


@pytest.fixture
def without_pictures(monkeypatch):
    """They take longer than the trainings."""
    monkeypatch.setattr(writing, "draw_pictures", lambda *arguments: {})


def test_a_table_of_two_tasks(work, without_pictures):
    write_nucleotide_transformer(work.folder / "data", ["H3", "enhancers"], "fna")
    options = ["--lr", "1e-3,3e-3", "--batch", "8", "--seeds", "1,2", "--epochs", "1", "--threads", "2"]
    command = [
        "benchmark",
        "nucleotide-transformer",
        "--data",
        "data",
        "-o",
        "out",
        "-m",
        work.model,
        *options,
    ]
    result = work.run(*command)
    assert result.exit_code == 0, result.output
    record = json.loads(Path("out/benchmark.json").read_text())
    assert [row["task"] for row in record["tasks"]] == ["H3", "enhancers"]
    for row in record["tasks"]:
        tried = {}
        for lr in (1e-3, 3e-3):
            values = []
            for seed in (1, 2):
                place = Path(f"out/{row['task']}/lr-{lr:g}-batch-8/trials/seed-{seed}/report.json")
                [valid] = json.loads(place.read_text())["valid"]["fine-tuned"].values()
                values.append(valid["mcc"])
            tried[lr] = sum(values) / 2
        assert list(row["validated"].values()) == pytest.approx(list(tried.values()))
        assert row["lr"] == max(tried, key=tried.get)
        assert set(row["found"]) == {"fine-tuned", "probe", "k-mers"}
        assert row["found"]["fine-tuned"]["spread"] is not None
    page = Path("out/benchmark.md").read_text()
    assert "| 0.835 |" in page.replace("0.835 |", "0.835 |")
    assert "JanusDNA (paper)" in page
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("model.safetensors")}
    again = work.run(*command)
    assert again.exit_code == 0, again.output
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("model.safetensors")} == before
    assert json.loads(Path("out/benchmark.json").read_text()) == record


@pytest.mark.long
def test_trainings_side_by_side_come_to_the_same(work):
    write_genomic_benchmarks(work.folder / "data", {"demo_human_or_worm": ["human", "worm"]}, texts=True)
    options = ["--lr", "1e-3", "--batch", "8", "--seeds", "1,2", "--epochs", "1", "-m", work.model]
    options += ["--baselines", "none"]
    for output, more in (("one", ["--threads", "1"]), ("two", ["--threads", "2", "--workers", "2"])):
        command = ["benchmark", "genomic-benchmarks", "--data", "data", "-o", output, *options, *more]
        result = work.run(*command)
        assert result.exit_code == 0, result.output
    one, two = (json.loads(Path(f"{output}/benchmark.json").read_text()) for output in ("one", "two"))
    assert one["tasks"] == two["tasks"]


@pytest.mark.parametrize("both", [False, True])
def test_eqtls_have_the_distance_beside_them(work, without_pictures, both):
    make_miniature(work.folder)
    options = ["--seeds", "1", "--epochs", "1", "-m", work.model]
    options += ["--reference-too", "--baselines", "none"] if both else []
    result = work.run("benchmark", "eqtl", "--data", ".", "-o", "out", *options)
    assert result.exit_code == 0, result.output
    record = json.loads(Path("out/benchmark.json").read_text())
    [row] = record["tasks"]
    assert (row["task"], row["metric"]) == ("Liver", "auroc")
    assert set(row["found"]) == {"fine-tuned"} | (set() if both else {"probe", "k-mers", "distance"})
    assert record["settings"]["reference_too"] == both
    assert "The padding of a sequence gives the distance" in Path("out/benchmark.md").read_text()
