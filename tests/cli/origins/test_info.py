"""`janusdna info`: what a file says of its origin, told by content, and one line where it says nothing."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janusdna.config import ModelConfig
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.runs import keeper, running
from janusdna_cli.runs.journal import Journal

from ..made_up_background import CONDITIONS, COUNTS, INSERTION, background_text

METADATA = b"janusdna"


def one_line(result, *parts):
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1), result.output
    assert result.stderr.startswith("janusdna: error: ")
    assert "bug" not in result.stderr
    for part in parts:
        assert part in result.stderr


def facts(text):
    return {topic: fact.strip() for topic, _, fact in (line.partition("  ") for line in text.splitlines())}


@pytest.fixture
def told(work):
    """The facts and the record of something that tells them."""

    def tell(path):
        text, record = work.run("info", path), work.run("info", path, "--json")
        for result in (text, record):
            assert (result.exit_code, result.stderr) == (0, ""), result.stderr
        return facts(text.stdout), json.loads(record.stdout)

    return tell


@pytest.fixture
def scores(work, bases):
    """A table of variants of three statuses."""
    contig = bases(200, seed=41)
    wrong = "ACGT"["ACGT".index(contig[59]) - 1]
    records = [f"c 20 . {contig[19]} <DEL>,{contig[19]}TT", f"c 60 . {wrong} {contig[59]}"]
    vcf = work.vcf(*records, f"c 90 . {contig[89:92]} {contig[89]}")
    work.score(vcf, "-f", work.fasta(c=contig), "-w", 32)
    return work.folder / "out.parquet"


def table(path, statuses, metadata):
    """A table of statuses as janusdna writes it."""
    schema = pa.schema([pa.field("chrom", pa.string()), pa.field("status", pa.string())])
    with open_table(str(path), schema, Format.parquet, metadata=metadata) as to:
        to.write({"chrom": ["c"] * len(statuses), "status": statuses})
    return path


def test_what_made_a_table(told, work, scores):
    found, record = told(scores)
    metadata = json.loads(pq.read_metadata(scores).metadata[METADATA])
    counts = pd.read_parquet(scores)["status"].value_counts().to_dict()
    assert counts == {"ok": 2, "symbolic": 1, "ref_mismatch": 1}
    assert record == {
        "file": str(scores),
        "kind": "table",
        "format": "parquet",
        "files": 1,
        "janusdna": metadata,
        "differing": [],
        "rows": 4,
        "rows_by_status": counts,
    }
    assert found["made by"] == f"janusdna {metadata['version']}"
    assert (found["model"], found["model's sha256"]) == ("tiny", metadata["model"]["sha256"])
    assert (found["reference"], found["contigs read"], found["window"]) == ("genome.fa", "1", "32")
    assert (found["both strands"], found["scores"], found["context"]) == ("yes", "default", "centered")
    assert found["rows"] == "4: 2 ok, 1 symbolic, 1 ref_mismatch"


def test_a_background(told, work, tmp_path):
    path = tmp_path / "background.json"
    path.write_text(background_text("0123"))
    found, record = told(path)
    assert (found["model"], found["model's sha256"], found["seed"]) == ("tiny", "0123", "0")
    assert (found["window"], found["context"], found["span"]) == ("64", "centered", "128")
    assert found["percentiles of"] == "llr, delta_pll, influence"
    assert found["random alleles"] == "210 in 3 classes"
    assert found["classes without percentiles"] == INSERTION
    assert record == {
        "file": str(path),
        "kind": "background",
        "model": {"name": "tiny", "sha256": "0123"},
        "made": {"seed": 0},
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **CONDITIONS,
        "scores": ["llr", "delta_pll", "influence"],
        "alleles": 210,
        "classes": COUNTS,
    }
    path.write_text(path.read_text()[:-40])
    one_line(work.run("info", path), "background.json: no background that this version reads")


def test_the_suffix_says_nothing(told, scores):
    renamed = scores.rename(scores.with_name("notes.txt"))
    assert told(renamed)[1]["rows"] == 4


def test_the_command_can_be_pasted_into_a_shell(told, tmp_path):
    words = ["janusdna", "embed", "my genome.fa", "-o", "a'b.parquet"]
    found, _ = told(table(tmp_path / "t.parquet", ["ok"], {"command": words}))
    assert found["command"] == "janusdna embed 'my genome.fa' -o 'a'\"'\"'b.parquet'"


def test_rows_of_many_row_groups_are_counted(told, tmp_path):
    statuses = ["ok", "ok", "symbolic", "too_long"] * 50_000
    path = table(tmp_path / "t.parquet", statuses, {"window": 131_072})
    assert pq.read_metadata(path).num_row_groups > 3
    found, record = told(path)
    assert record["rows_by_status"] == dict(Counter(statuses).most_common())
    assert found["rows"] == "200,000: 100,000 ok, 50,000 symbolic, 50,000 too_long"
    assert found["window"] == "131,072"


def test_of_a_table_only_the_statuses_are_read(told, tmp_path, monkeypatch):
    path = table(tmp_path / "t.parquet", ["ok"], {})
    read, columns = pq.ParquetFile.read_row_group, []

    def noted(self, *arguments, **options):
        columns.append(options["columns"])
        return read(self, *arguments, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
    told(path)
    assert columns == [["status"]] * 2


def test_a_table_without_statuses_has_rows(told, tmp_path):
    path = tmp_path / "t.parquet"
    with open_table(str(path), pa.schema([pa.field("i", pa.int64())]), Format.parquet) as to:
        to.write({"i": [1, 2]})
    found, record = told(path)
    assert (found["rows"], record["rows"], record["rows_by_status"]) == ("2", 2, None)


def test_contigs_too_many_to_name_are_counted(told, tmp_path):
    summed = {"contig_md5": None, "contigs_md5": {"contigs": 12_000, "unknown": 0, "md5": "abc"}}
    assert told(table(tmp_path / "t.parquet", [], summed))[0]["contigs read"].startswith("12,000, md5 ")


def test_a_folder_of_parts_is_one_table(told, tmp_path):
    folder = tmp_path / "parts"
    (folder / "chrom=chr2").mkdir(parents=True)
    common = {"window": 64, "model": {"name": "tiny", "sha256": "1"}}
    table(folder / "part-1-of-2.parquet", ["ok", "no_alt"], common | {"command": ["one"]})
    table(folder / "chrom=chr2" / "part-2-of-2.parquet", ["ok"], common | {"command": ["two"], "span": 9})
    for ignored in (".part", "_metadata"):
        (folder / ignored).write_bytes(b"PAR1")
    (folder / "notes.txt").write_text("no table")
    found, record = told(folder)
    assert (record["files"], record["rows"], record["rows_by_status"]) == (2, 3, {"ok": 2, "no_alt": 1})
    assert record["differing"] == ["command", "span"]
    assert record["janusdna"] == common | {"command": ["two"], "span": 9}  # the first by name
    assert found["command"] == "two (the others differ)"
    assert found["window"] == "64"


@pytest.mark.parametrize("metadata", [None, b"[1]", b"{"])
def test_a_table_of_another_program(work, tmp_path, metadata):
    path = tmp_path / "t.parquet"
    schema = pa.schema([pa.field("status", pa.string())], metadata=metadata and {METADATA: metadata})
    pq.write_table(pa.table({"status": ["ok"]}, schema=schema), path)
    one_line(work.run("info", path), f"{path}: janusdna did not write it", "key 'janusdna'")
    folder = path.parent / "folder"
    folder.mkdir()
    table(folder / "a.parquet", ["ok"], {})
    shutil.copy(path, folder / "b.parquet")
    one_line(work.run("info", folder), f"{folder / 'b.parquet'}: janusdna did not write it")


def test_a_damaged_table(work, scores):
    scores.write_bytes(scores.read_bytes()[:-20])
    one_line(work.run("info", scores, "--json"), f"{scores}: is damaged or cut off")


@pytest.mark.parametrize("suffix", ["npz", "h5ad"])
def test_a_table_of_arrays(told, work, bases, suffix):
    if suffix == "h5ad":
        pytest.importorskip("anndata", reason="anndata is not installed: pip install 'janusdna[anndata]'")
    fasta, bed = work.fasta(c=bases(200)), work.bed("c 5 90", "c 10 20", "c 150 900")
    output = f"regions.{suffix}"
    assert work.run("embed", fasta, bed, "-m", work.model, "-o", output, "-q").exit_code == 0
    found, record = told(output)
    assert (record["kind"], record["format"], record["files"]) == ("table", suffix, 1)
    assert (record["rows"], record["rows_by_status"]) == (3, {"ok": 2, "out_of_contig": 1})
    assert (record["janusdna"]["model"]["name"], record["janusdna"]["pool"]) == ("tiny", "mean")
    assert (found["rows"], found["input"]) == ("3: 2 ok, 1 out_of_contig", "regions.bed")
    Path(output).write_bytes(Path(output).read_bytes()[:-300])
    one_line(work.run("info", output), output)


def test_arrays_of_another_program(work):
    np.savez("other.npz", x=np.arange(3))
    one_line(work.run("info", "other.npz"), "other.npz: janusdna did not write it: found no metadata")


def test_tsv_has_no_place_for_it(work, bases):
    contig = bases(200)
    fasta, vcf, bed = work.fasta(c=contig), work.vcf(f"c 20 . {contig[19]} <DEL>"), work.bed("c 5 90")
    for name in ("scores.tsv", "scores.tsv.gz"):
        work.run("score-variants", vcf, "-f", fasta, "-m", work.model, "-o", name)
        one_line(work.run("info", name), f"{name}: is TSV, which has no place", "Parquet")
    work.run("embed", fasta, bed, "-m", work.model, "-o", "regions.tsv")
    one_line(work.run("info", "regions.tsv"), "regions.tsv: is TSV, which has no place")


def test_what_janusdna_did_not_make(work, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    one_line(work.run("info", work.fasta(c="ACGT")), "genome.fa: janusdna did not make this: found '>c'")
    one_line(work.run("info", work.bed("c 1 2")), "janusdna did not make this")
    one_line(work.run("info", work.file("nothing.txt", "")), "nothing.txt: janusdna did not make this")
    one_line(work.run("info", "-", stdin=b"hello\n"), "stdin: janusdna did not make this: found 'hello'")
    one_line(work.run("info", empty), f"{empty}: found no table in Parquet, no model and no run in it")
    one_line(work.run("info", "no.parquet"), "no.parquet: no model of this name, and no such file")
    other = work.file("config.json", '{"theme": "dark"}')
    one_line(work.run("info", other), "config.json")


def test_a_model_by_path_by_name_and_by_one_of_its_files(told, work):
    for model, name in ((str(work.model), "tiny"), ("janusdna-32", "janusdna-32")):
        found, record = told(model)
        assert found == facts(work.run("models", "info", model).stdout)
        assert (record["kind"], record["name"], record["sha256"]) == ("model", name, found["sha256"])
        assert found["parameters"].startswith(f"{record['parameters']:,}, ")
        ModelConfig.from_dict(record["model"])
    assert told(work.model / "model.safetensors")[1]["sha256"] == told(work.model)[1]["sha256"]
    assert record["provenance"]["objective"] == "janus"


def test_a_reference_checkpoint_and_a_preset(told, golden):
    folder = golden("nomidattn-mlp")
    by_folder, by_file = told(folder)[1], told(next(folder.glob("*.ckpt")))[1]
    assert by_folder["kind"] == by_file["kind"] == "model"
    assert by_folder["sha256"] == by_file["sha256"]
    assert told("janusdna-72")[1]["sha256"] is None


def test_no_torch_for_a_table(scores):
    code = (
        "import sys\nfrom janusdna_cli.app import app\n"
        f"app(['info', {str(scores)!r}], standalone_mode=False)\n"
        "assert not {'torch', 'pandas', 'numba'} & set(sys.modules), 'slow to start'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_names_that_are_not_utf_8(told, scores, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    shutil.copy(scores, folder / "scores")
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for option in ([], ["--json"]):
        command = [sys.executable, "-m", "janusdna_cli", "info", str(folder), *option]
        done = subprocess.run(command, capture_output=True, timeout=60, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"ref_mismatch" in done.stdout


SIZES = {
    "hidden_size": 16, "num_layers": 2, "intermediate_size": 32, "fusion_scale_width": 32,
    "num_experts": 4, "expert_layers": [1], "trained_length": 64,
}  # fmt: skip


@pytest.fixture
def run_directory(work, bases):
    (work.folder / "sizes.json").write_text(json.dumps(SIZES))
    options = ["--preset", "sizes.json", "--tokens-per-step", 256, "--max-steps", 4, "--valid-share", 0.2]
    options += ["--valid-every", 2, "--checkpoint-every", 2, "-o", "run", "--quiet"]
    result = work.run("pretrain", "--fasta", work.fasta(one=bases(2_000)), *options)
    assert result.exit_code == 0, result.stderr
    return work.folder / "run"


def test_a_pretraining_run_from_its_end_back_to_its_start(told, work, run_directory):
    lines = [json.loads(line) for line in (run_directory / "metrics.jsonl").read_text().splitlines()]
    last = [line for line in lines if "loss" in line][-1]
    best = min((line for line in lines if "valid_loss" in line), key=lambda line: line["valid_bits_per_base"])
    found, record = told(run_directory)
    assert record["config"] == json.loads((run_directory / "config.json").read_text())
    assert (record["kind"], record["last"]) == ("pretraining_run", last)
    assert record["best"] == {name: value for name, value in best.items() if name != "valid_expert_usage"}
    assert (record["finished"], record["resumes_after"]) == (True, None)
    assert found["best validation"] == f"step {best['step']}, {best['valid_bits_per_base']:.4f} bits per base"
    assert found["resume"] == "no: all 4 steps are made"
    assert told(run_directory / "metrics.jsonl")[1] == record

    shutil.rmtree(run_directory / "checkpoints" / "step-4")
    found, record = told(run_directory)
    assert (record["finished"], record["resumes_after"]) == (False, 2)
    assert found["resume"].startswith("yes, after step 2 of 4")

    (run_directory / "checkpoints" / "step-2" / "progress.json").write_text("{")
    damaged = work.run("info", run_directory)
    assert "step-2 cannot be read and is passed over" in damaged.stderr
    assert facts(damaged.stdout)["resume"].startswith("yes, from the start")

    (run_directory / "config.json").unlink()
    found, record = told(run_directory)
    assert (record["finished"], record["resumes_after"], record["config"]) == (False, None, {})
    assert found["resume"].startswith("no: ")


def test_a_run_before_its_first_step(told, run_directory):
    shutil.rmtree(run_directory / "checkpoints")
    shutil.rmtree(run_directory / "model")
    (run_directory / "metrics.jsonl").unlink()
    found, record = told(run_directory)
    assert (record["last"], record["best"], record["resumes_after"]) == (None, None, 0)
    assert found["trained to"] == found["best validation"] == found["best model"] == "none yet"


@pytest.fixture
def variants(work, bases):
    """Options of a run over 60 alleles, every third of them symbolic."""
    contig = bases(400, seed=9)
    kinds = [("ACGT"["ACGT".index(base) - 1], "<DEL>")[i % 3 == 2] for i, base in enumerate(contig[100:160])]
    records = [f"c {101 + i} . {contig[100 + i]} {alt}" for i, alt in enumerate(kinds)]
    return ["score-variants", work.vcf(*records), "-f", work.fasta(c=contig), "-m", work.model, "-w", 32]


def test_an_unfinished_run(told, work, variants, monkeypatch):
    monkeypatch.setattr(running, "_CPU_UNIT", 400)
    monkeypatch.setattr(keeper, "_SECONDS", 0)
    add, entries = Journal.add, []

    def cut_off(self, entry, rows):
        if len(entries) == 2:
            raise KeyboardInterrupt
        entries.append(rows)
        return add(self, entry, rows)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "add", cut_off)
        assert work.run(*variants, "-o", "out.parquet").exit_code == 130
    done = Counter(status for rows in entries for status in rows.column("status").to_pylist())
    assert 0 < done.total() < 60
    found, record = told("out.parquet.parts")
    assert (record["kind"], record["rows"], record["rows_by_status"]) == (
        "unfinished_run",
        done.total(),
        done,
    )
    assert record["run"] == json.loads(Path("out.parquet.parts/run.json").read_text())
    assert found["rows done"].startswith(f"{done.total()}: {done['ok']} ok")
    assert (found["input"], found["window"]) == (variants[1], "32")
    assert found["model's sha256"] == told(work.model)[1]["sha256"]
    assert told("out.parquet.parts/run.json")[1] == record


def test_parts_of_a_run_are_one_table(told, work, variants, monkeypatch):
    monkeypatch.setattr(running, "_CPU_UNIT", 400)
    for shard in ("1/3", "2/3", "3/3"):
        assert work.run(*variants, "--shard", shard, "-o", "parts/").exit_code == 0
    found, record = told("parts")
    assert (record["files"], record["rows"], record["rows_by_status"]) == (3, 60, {"ok": 40, "symbolic": 20})
    assert record["differing"] == ["part"]  # one command line in this process
    assert found["part"] == "1 of 3 (the others differ)"
    assert found["input"] == "variants.vcf"
    one, rows = told("parts/part-2-of-3.parquet")
    assert (one["part"], rows["files"]) == ("2 of 3", 1)
