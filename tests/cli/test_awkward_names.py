"""Folders whose names are not UTF-8, and locales that have no letters but ASCII's."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janusdna_cli.demo_data import make_demo

PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def latin(tmp_path, work, monkeypatch):
    """A folder, and the model within it."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    work.model = shutil.copytree(work.model, folder / "model")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder


@pytest.mark.parametrize("suffix", ["tsv", "parquet"])
def test_a_folder_that_is_not_utf_8(work, latin, suffix):
    demo = latin / "demo"
    make_demo(demo, overwrite=False)
    options = ["-m", work.model, "-w", 64, "-o"]
    scores, embeddings = latin / f"scores.{suffix}", latin / f"embeddings.{suffix}"
    found = [
        work.run("score-variants", demo / "variants.vcf", *options, scores),  # its ##reference is there, too
        work.run("embed", demo / "genome.fa", demo / "regions.bed", *options, embeddings),
    ]
    assert [result.exit_code for result in found] == [0, 0], [result.stderr for result in found]
    tables = [
        pd.read_csv(path, sep="\t") if suffix == "tsv" else pq.read_table(pa.BufferReader(path.read_bytes()))
        for path in (scores, embeddings)
    ]
    assert [len(table) for table in tables] == [21, 11]
    result = work.run("embed", demo / "genome.fa", demo / "nothing.bed", *options, embeddings, "--overwrite")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "nothing.bed: no such file" in result.stderr


def test_a_fasta_that_is_compressed_in_such_a_folder(work, latin, bases):
    fasta = latin / "genome.fa"
    fasta.write_text(f">c\n{bases(500)}\n")
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import pysam, sys; pysam.tabix_compress(*sys.argv[1:])",
            fasta,
            f"{fasta}.gz",
        ],
        check=True,
    )
    assert len(work.embed(f"{fasta}.gz", "--window", 64)) == 1


def program(*words, **env):
    command = [sys.executable, "-m", "janusdna_cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, env=os.environ | env, timeout=120)


def test_a_run_in_such_a_folder(work, latin, bases):
    fasta = work.fasta(c=bases(2_000))
    words = ["pretrain", "--fasta", fasta, "--init", work.model, "--tokens-per-step", 64, "--warmup", 0]
    words += ["--valid-every", 0, "-o", latin / "run\u03b1", "-q", "--max-steps", 1]
    for arguments in (words, [*words, "--resume"], ["plot", latin / "run\u03b1", "-q"]):
        result = program(*arguments)
        assert (result.returncode, result.stderr) == (0, b"")
    assert (latin / "run\u03b1" / "curves.png").stat().st_size > 0


def test_parts_in_such_a_folder(work, latin, bases):
    contig = bases(2_000)
    fasta = work.fasta(c=contig)
    vcf = work.vcf(*(f"c {pos} . {contig[pos - 1]} <DEL> . ." for pos in range(1, 50)))
    words = ["score-variants", vcf, "-f", fasta, "-m", work.model, "-q"]
    assert work.run(*words, "-o", latin / "whole.parquet").exit_code == 0
    for index in (1, 2):
        assert work.run(*words, "--shard", f"{index}/2", "-o", latin / "parts").exit_code == 0
    assert work.run("merge", latin / "parts", "-o", latin / "merged.parquet", "-q").exit_code == 0
    with (latin / "merged.parquet").open("rb") as merged, (latin / "whole.parquet").open("rb") as whole:
        assert pq.read_table(merged).equals(pq.read_table(whole))


def test_a_locale_without_letters(work, bases):
    folder = work.folder / "\u03b1"
    folder.mkdir()
    fasta, bed = (
        work.fasta("\u03b1/g\u00e9nome.fa", **{"c\u00e9": bases(200)}),
        work.bed("c\u00e9 0 90 \u03b2", name="\u03b1/r.bed"),
    )
    tables = [folder / "out.tsv", folder / "out.parquet"]
    for output in tables:
        result = program("embed", fasta, bed, "-w", 64, "-m", work.model, "-o", output, **PLAIN)
        assert (result.returncode, result.stderr.count(b"\n")) == (0, 1), result.stderr
        assert rb"-> " in result.stderr
    assert tables[0].read_bytes().splitlines()[1].startswith("c\u00e9\t0\t90\t\u03b2\t".encode())
    assert pq.read_table(tables[1])["name"].to_pylist() == ["\u03b2"]
    metadata = json.loads(pq.read_metadata(tables[1]).metadata[b"janusdna"])
    assert metadata["reference"] == "g\u00e9nome.fa"
    assert metadata["command"][-1] == str(tables[1])
