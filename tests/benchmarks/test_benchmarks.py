"""The benchmarks run; what they measure is no test's business."""

import json
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
SHARED_PARTS = {
    "averages",
    "codons",
    "consequences",
    "counts",
    "disturbed_runs",
    "elements",
    "flex_attention",
    "gene_parts",
    "gpu_checks",
    "kinds",
    "made_up",
    "measure",
    "peer_networks",
    "route_pairs",
    "routes",
    "slices",
    "spots",
    "sweep",
    "vcf_info",
}
NEEDS_A_GPU = {"gpu"}
BY_HAND = {"faults", "two_processes"}
NEEDS_DATA = {
    "baselines",
    "biology",
    "clinvar",
    "codon_weights",
    "common_variants",
    "gene_knowledge",
    "janus_vs_mlm",
    "knowledge_plots",
    "labels",
    "mean_weights",
    "percentiles",
    "routing",
    "small_runs",
    "vertebrates",
    "zero_shot",
}
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem not in SHARED_PARTS)
COMMON = ("--preset", "janusdna-32", "--json")


@pytest.mark.parametrize("name", NAMES)
def test_help_begins_with_the_question_and_a_command(run, capsys, name):
    if name.endswith("plots"):
        pytest.importorskip("matplotlib")
    with pytest.raises(SystemExit) as ended:
        run(name, "--help")
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "?" in said
    assert f"python benchmarks/{name}.py" in said


def test_make_bench_runs_them_all():
    makefile = (SCRIPTS.parent / "Makefile").read_text()
    (listed,) = (line for line in makefile.splitlines() if line.startswith("BENCHMARKS :="))
    assert set(listed.split()[2:]) == set(NAMES) - NEEDS_A_GPU - NEEDS_DATA - BY_HAND


def test_attention_measures_both_kernels_beside_the_floor(run, tmp_path):
    run("attention", "--window", 256, "--rows", 2, 32, "--sizes", 8, "--json", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [(row["head"], row["rows"]) for row in rows] == [(8, 2), (8, 32)]
    assert all(row["floor, ms"] > 0 for row in rows)


def test_window_measures_one_target_and_all_positions(run, tmp_path):
    printed = run("window", 128, "--scan", 32, *COMMON, tmp_path / "out.json")
    saved = json.loads((tmp_path / "out.json").read_text())
    assert [(row["targets"], row["window"]) for row in saved["rows"][:2]] == [("one", 128), ("all", 128)]
    assert saved["command"].startswith("python benchmarks/window.py 128 --scan 32")
    assert saved["machine"]["threads"] >= 1
    assert "| targets | window |" in printed


def test_tile_measures_variants_of_both_kinds(run, tmp_path):
    counts = ("--window", 1024, "--snvs", 1, 3, "--indels", 0, 2, "--runs", 1)
    run("tile", *counts, *COMMON, tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [(row["variants"], row["count"]) for row in rows] == [
        ("SNV", 1), ("SNV", 3), ("deletion", 0), ("deletion", 2),
    ]  # fmt: skip


def test_mutagenesis_measures_every_length(run, tmp_path):
    run("mutagenesis", "--window", 64, "--bases", 10, 20, "--json", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [(row["alleles"], row["windows"]) for row in rows] == [(30, 2), (60, 2)]
    assert all(row["chr22, processor days"] > 0 for row in rows)


def test_records_io_measures_every_format(run, tmp_path):
    run("records_io", "--records", 50, "--samples", 0, 2, "--runs", 1, "--json", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [row["read"] for row in rows if "read" in row] == ["vcf", "vcf.gz", "bcf"] * 2
    written = ["parquet", "tsv", "tsv.gz", "vcf", "vcf.gz", "bcf"]
    assert [row["written"] for row in rows if "written" in row] == [*written, *written[3:]] * 2
    assert all(row["records/s"] > 0 for row in rows)


def test_training_step_measures_every_way_beside_plain_pytorch(run, tmp_path):
    run("training_step", "--windows", 1, 2, "--window", 16, *COMMON, tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [row["windows"] for row in rows] == [1, 2] * len({row["step"] for row in rows})
    assert rows[0]["step"] == "one thread"
    assert all(row["times plain"] == row["tokens/s"] / row["plain PyTorch"] for row in rows)
    assert all(row["floor"] > 0 for row in rows)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_the_gpus_script_runs_where_there_is_none(run, tmp_path):
    """Its figures mean nothing then; on a GPU there are minutes, and none for a broken script."""
    pytest.importorskip("triton")
    small = ("--lengths", 32, "--training", "--bases", 128, "--presets", "janusdna-32")
    printed = run("gpu", "--device", "cpu", "--only", "figures", *small, "--json", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    read = [row for row in rows if "read" in row]
    assert [row["read"] for row in read] == ["one target", "all positions"]
    assert all(row["windows/s"] > 0 and row["times plain"] > 0 for row in read)
    assert [row["attention"] for row in rows if "attention" in row] == ["four-flash", "FlexAttention"]
    assert "| model" in printed


def test_plots_are_drawn_of_what_there_is(run, tmp_path):
    pytest.importorskip("matplotlib")
    row = {"scan": "kernel", "length": 1024, "forward, seconds": 0.1, "with backward": None}
    (tmp_path / "selective_scan.json").write_text(json.dumps({"rows": [row, row | {"length": 2048}]}))
    printed = run("plots", "--results", tmp_path, "--output", tmp_path)
    assert [path.name for path in tmp_path.glob("*.svg")] == ["scan.svg"]
    assert "window.svg: not drawn" in printed
