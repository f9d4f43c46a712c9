"""Real and broken files through the whole program: a table with all rows, or one line that says where."""

import gzip
import re
from pathlib import Path

import pandas as pd
import pytest

from janusdna import load
from janusdna_cli import embedding, scoring


@pytest.fixture
def one_model(work, monkeypatch):
    """The same model for hundreds of runs."""
    model = load(work.model, device="cpu")
    for module in (scoring, embedding):
        monkeypatch.setattr(module, "open_model", lambda _: model)
    return model


def lines_of(path: Path) -> list[str]:
    data = path.read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("latin-1").split("\n")


def alleles_in(path: Path) -> int:
    lines = lines_of(path)
    body = lines[next(i for i, line in enumerate(lines) if line.startswith("#CHROM")) :]
    records = [line for line in body if line.strip() and not line.startswith("#")]
    return sum(line.split("\t")[4].count(",") + 1 for line in records)


def regions_in(path: Path) -> int:
    lines = [line for line in lines_of(path) if line.strip()]
    lines = [line for line in lines if not line.startswith(("#", "track", "browser"))]
    if lines and not re.fullmatch(r"\s*\d+\s*", re.split(r"\s+", lines[0])[1]):
        lines = lines[1:]
    return len(lines)


def check(result, output: Path, path: Path, count) -> bool:
    """Whether there is a table; anything but a whole one or one clear error fails."""
    errors = [line for line in result.stderr.splitlines() if line.startswith("janusdna: error:")]
    assert result.exit_code in (0, 1), (path, result.output)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert "bug in janusdna" not in result.stderr, (path, result.stderr)
    if result.exit_code == 0:
        assert errors == [], path
        assert len(pd.read_parquet(output)) == count(path), path
        return True
    assert len(errors) == 1, (path, result.stderr)
    assert str(path) in errors[0]
    assert re.search(r"line \d+|has no #CHROM line|is empty", errors[0]), errors[0]
    assert not output.exists()
    return False


def test_every_awkward_vcf(work, one_model, shared, bases):
    fasta = work.fasta(**{"1": bases(500), "20": bases(300, seed=1), "chr1": bases(100, seed=2)})
    output = work.folder / "out.parquet"
    whole = 0
    paths = sorted((shared / "data" / "awkward-vcf").rglob("*.vcf"))
    for path in paths:
        result = work.run("score-variants", path, "-f", fasta, "-o", output, "-w", 16)
        whole += check(result, output, path, alleles_in)
        output.unlink(missing_ok=True)
    assert len(paths) > 100
    assert len(paths) / 2 < whole < len(paths)


@pytest.mark.parametrize("pool", ["mean", "center"])
def test_every_awkward_bed(work, one_model, shared, bases, pool):
    fasta = work.fasta(**{"chr1": bases(400), "chr2": bases(90, seed=1), "1": bases(60, seed=2)})
    output = work.folder / "out.parquet"
    folder = shared / "data" / "awkward-bed"
    paths = [path for path in sorted(folder.rglob("*.bed*")) if path.suffix in (".bed", ".gz")]
    whole = 0
    for path in paths:
        result = work.run("embed", fasta, path, "-o", output, "-w", 16, "--pool", pool, "--keep-columns")
        whole += check(result, output, path, regions_in)
        output.unlink(missing_ok=True)
    assert len(paths) > 20
    assert whole > len(paths) / 2


def head(path: Path, records: int, target: Path) -> str:
    lines = lines_of(path)
    first = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    target.write_text("\n".join(lines[: first + records]) + "\n")
    return str(target)


def test_the_thousand_genomes(work, shared):
    variants = shared / "data" / "variants"
    vcf = head(variants / "1kg_phase3_chr20_1-2Mb.GRCh37.vcf.gz", 200, work.folder / "kg.vcf")
    work.model = shared / "golden" / "tiny-midattn-mlp"
    table = work.score(vcf, "-f", variants / "GRCh37_chr20.fa.gz", "-w", 256)
    assert len(table) == alleles_in(Path(vcf))
    assert set(table["status"]) <= {"ok", "symbolic"}
    ok = table[table["status"] == "ok"]
    assert len(ok) > 190
    assert (ok["llr"].notna() ^ ok["delta_pll"].notna()).all()
    assert ok["entropy"].between(0, 2).all()


@pytest.mark.parametrize(
    ("vcf", "fasta", "allowed"),
    [
        ("gvcf_chr20_GRCh37.g.vcf.gz", "GRCh37_chr20.fa.gz", {"ok", "symbolic", "ref_mismatch", "non_acgt"}),
        ("multisample_chr20_GRCh38.vcf.gz", "GRCh38_chr20_first1Mb.fa.gz", {"ok", "too_long"}),
    ],
)
def test_gvcf_and_many_samples(work, one_model, shared, vcf, fasta, allowed):
    variants = shared / "data" / "variants"
    short = head(variants / vcf, 150, work.folder / "head.vcf")
    table = work.score(short, "-f", variants / fasta, "-w", 64)
    assert len(table) == alleles_in(Path(short))
    assert set(table["status"]) <= allowed
    assert (table["alt"] == "<NON_REF>").equals(table["status"] == "symbolic")
