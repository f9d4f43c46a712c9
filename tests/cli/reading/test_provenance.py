"""What an output says of its origin."""

import hashlib
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq

import janusdna
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.outputs.schemas import SCHEMA_VERSION
from janusdna_cli.runs.identity import digest


def test_a_parquet_file_tells_its_origin(work, bases):
    contigs = {"one": bases(120, seed=1), "two": bases(90, seed=2).lower(), "three": bases(90, seed=3)}
    vcf = work.vcf(*(f"{name} 50 . {contigs[name][49]} {contigs[name][49]}A" for name in ("two", "one")))
    work.score(vcf, "-f", work.fasta(**contigs), "--window", 32, "--span", 9, "--scores", "llr,delta_pll")
    found = json.loads(pq.read_metadata(work.folder / "out.parquet").metadata[b"janusdna"])
    weights = (work.model / "model.safetensors").read_bytes()
    kernels = janusdna.load(work.model, device="cpu").info.kernels
    assert found == {
        "version": janusdna.__version__,
        "command": sys.argv,
        "model": {"name": "tiny", "sha256": hashlib.sha256(weights).hexdigest()},
        "reference": "genome.fa",
        "contig_md5": {
            name: hashlib.md5(contigs[name].upper().encode()).hexdigest() for name in ("two", "one")
        },
        "window": 32,
        "both_strands": True,
        "dtype": "float32",
        "kv_dtype": "float32",
        "device": "cpu",
        "kernels": kernels,
        "schema_version": SCHEMA_VERSION,
        "scores": ["llr", "delta_pll"],
        "span": 9,
        "context": "centered",
        "run": {
            "command": "score-variants",
            "version": janusdna.__version__,
            "schema": SCHEMA_VERSION,
            "input": {
                "name": "variants.vcf",
                "size": len(Path(vcf).read_bytes()),
                "sha256": hashlib.sha256(Path(vcf).read_bytes()).hexdigest(),
            },
            "reference": {"name": "genome.fa", "contigs": digest({"one": 120, "two": 90, "three": 90})},
            "model": hashlib.sha256(weights).hexdigest(),
            "--window": 32,
            "--rc": True,
            "--scores": ["llr", "delta_pll"],
            "--span": 9,
            "--context": "centered",
            "device": "cpu",
            "--dtype": "float32",
            "--kv-dtype": "float32",
            "kernels": kernels,
            "--batch-bp": None,
            "unit": 1 << 17,
        },
    }


def test_a_table_of_regions_tells_its_origin(work, bases):
    contigs = {"one": bases(120, seed=1), "two": bases(90, seed=2).lower()}
    options = ["--pool", "max", "--strand-aware", "--no-rc"]
    work.embed(work.fasta(**contigs), work.bed("two 3 9", "four 1 2"), *options)
    found = json.loads(pq.read_metadata(work.folder / "out.parquet").metadata[b"janusdna"])
    assert list(found["contig_md5"]) == ["two"]
    assert (found["window"], found["pool"], found["strand_aware"]) == (64, "max", True)
    assert found["both_strands"] is False
    run = found["run"]
    assert (run["command"], run["input"]["name"], run["reference"]["name"]) == (
        "embed",
        "regions.bed",
        "genome.fa",
    )
    assert (run["--pool"], run["--strand-aware"], run["--keep-columns"], run["--rc"]) == (
        "max",
        True,
        False,
        False,
    )


def test_what_comes_from_a_pipe_tells_its_origin_and_no_run(work, bases):
    """Nothing can go on with it, so nothing is asked for that could tell whether it may."""
    contig = bases(120, seed=1)
    vcf = work.vcf(f"one 50 . {contig[49]} {contig[49]}A")
    work.score("-", "-f", work.fasta(one=contig), stdin=Path(vcf).read_bytes())
    found = json.loads(pq.read_metadata(work.folder / "out.parquet").metadata[b"janusdna"])
    assert found["contig_md5"] == {"one": hashlib.md5(contig.encode()).hexdigest()}
    assert "run" not in found


def test_md5_is_that_of_samtools(work, bases):
    """`echo -n ACGT | md5sum`."""
    with Reference.open(work.fasta(c="acGT")) as reference:
        assert reference.md5("c") == "f1f8f4bf413b16ad135722aa4591043e"


def test_a_stream_that_keeps_no_origin_hashes_nothing(work, bases, monkeypatch):
    def never(reference, contig, **options):
        raise AssertionError("hashed")

    monkeypatch.setattr(Reference, "md5", never)
    contig = bases(100)
    vcf = work.vcf(f"c 50 . {contig[49]} {contig[49]}A")
    result = work.run("score-variants", vcf, "-f", work.fasta(c=contig), "-m", work.model, "-o", "-")
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 2
