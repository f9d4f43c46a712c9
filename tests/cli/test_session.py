"""What all tasks share: bounded reading ahead, provenance, where files come from and go to."""

import gzip
import hashlib
import json

import pyarrow.parquet as pq
import pysam
import pytest

from janusdna_cli import scoring, session


@pytest.fixture
def files(work, bases):
    contig = bases(200, seed=41)
    contig = contig[:80] + contig[80:120].lower() + contig[120:]
    records = [f"c {pos} . {contig[pos - 1].upper()} {contig[pos - 1].upper()}A" for pos in (5, 90, 150)]
    return (
        work.vcf(*records, meta="##contig=<ID=c,length=200>\n"),
        work.fasta(c=contig, unused="ACGT"),
        contig,
    )


def test_chunks_are_bounded_in_number_and_bytes(monkeypatch):
    monkeypatch.setattr(session, "_CHUNK_ITEMS", 4)
    monkeypatch.setattr(session, "_CHUNK_BYTES", 100)
    taken = []

    def endless():
        for number in range(10**9):
            taken.append(number)
            yield number

    chunks = session.in_chunks(endless(), lambda number: 60 if number >= 8 else 0)
    assert [next(chunks) for _ in range(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [10, 11]]
    assert len(taken) == 12


def test_scoring_reads_no_further_ahead_than_a_chunk(work, bases, monkeypatch):
    monkeypatch.setattr(session, "_CHUNK_ITEMS", 5)
    monkeypatch.setattr("janusdna_cli.allele_plan._ASSEMBLY_RECORDS", 3)
    contig = bases(200, seed=42)
    vcf = work.vcf(*(f"c {pos} . {contig[pos - 1]} N" for pos in range(1, 101)))
    read, ahead = [0], []
    original, columns = scoring.VariantReader.__next__, scoring._columns

    def counting(self):
        read[0] += 1
        return original(self)

    def written(chunk, scores):
        ahead.append(read[0])
        return columns(chunk, scores)

    monkeypatch.setattr(scoring, "_count_alleles", lambda _: None)
    monkeypatch.setattr(scoring.VariantReader, "__next__", counting)
    monkeypatch.setattr(scoring, "_columns", written)
    work.score(vcf, "-f", work.fasta(c=contig))
    assert len(ahead) == 20
    assert all(seen <= 5 * (i + 1) + 3 for i, seen in enumerate(ahead))


def test_parquet_says_where_it_comes_from(work, files):
    vcf, fasta, contig = files
    work.score(vcf, "-f", fasta, "-w", 32)
    found = json.loads(pq.read_schema(work.folder / "out.parquet").metadata[b"janusdna"])
    weights = hashlib.sha256((work.model / "model.safetensors").read_bytes()).hexdigest()
    assert found["model"] == {"name": "tiny", "sha256": weights}
    assert found["contig_md5"] == {"c": hashlib.md5(contig.upper().encode()).hexdigest()}
    assert (found["reference"], found["window"]) == ("genome.fa", 32)
    assert (found["dtype"], found["device"]) == ("float32", "cpu")
    assert found["kernels"]
    assert {"version", "command", "schema_version"} <= set(found)


def test_every_form_of_input_gives_the_same_table(work, files):
    vcf, fasta, _ = files
    plain = work.score(vcf, "-f", fasta)
    data = (work.folder / "variants.vcf").read_bytes()
    (work.folder / "plain.vcf.gz").write_bytes(gzip.compress(data))
    pysam.tabix_compress(vcf, str(work.folder / "bgzip.vcf.gz"))
    bcf = work.folder / "x.bcf"
    with pysam.VariantFile(vcf) as source, pysam.VariantFile(str(bcf), "wb", header=source.header) as target:
        for record in source:
            target.write(record)
    for name in ("plain.vcf.gz", "bgzip.vcf.gz", "x.bcf"):
        assert work.score(name, "-f", fasta).equals(plain), name
        assert work.score("-", "-f", fasta, stdin=(work.folder / name).read_bytes()).equals(plain), name
    assert work.score("-", "-f", fasta, stdin=data).equals(plain)


def test_where_the_reference_comes_from(work, files):
    vcf, fasta, _ = files
    plain = work.score(vcf, "-f", fasta)
    assert work.score(vcf, JANUSDNA_FASTA=fasta).equals(plain)
    text = (work.folder / "variants.vcf").read_text()
    named = work.file("named.vcf", text.replace("#CHROM", f"##reference=file://{fasta}\n#CHROM"))
    assert work.score(named).equals(plain)
    absent = work.file("absent.vcf", text.replace("#CHROM", "##reference=/not/here.fa\n#CHROM"))
    for path, reason in ((vcf, "no ##reference"), (absent, "/not/here.fa, is not here")):
        result = work.run("score-variants", path, "-m", work.model)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        assert reason in result.stderr
        assert "--fasta" in result.stderr


def test_standard_output_holds_only_the_table(work, files):
    vcf, fasta, _ = files
    result = work.run("score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "-", "-w", 32)
    lines = result.stdout.splitlines()
    assert (result.exit_code, len(lines)) == (0, 4)
    assert {line.count("\t") for line in lines} == {15}
    assert "3 alleles: 3 ok" in result.stderr


def test_an_existing_output_stays(work, files):
    vcf, fasta, _ = files
    work.file("out.tsv", "mine")
    arguments = ["score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "out.tsv"]
    result = work.run(*arguments)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert (work.folder / "out.tsv").read_text() == "mine"
    assert work.run(*arguments, "--overwrite").exit_code == 0
    assert (work.folder / "out.tsv").read_text().startswith("chrom\t")


def test_a_broken_line_ends_the_run_before_the_model_is_there(work, files):
    vcf, fasta, _ = files
    with (work.folder / "variants.vcf").open("a") as file:
        file.write("c\tten\t.\tA\tC\t.\t.\t.\n")
    result = work.run("score-variants", vcf, "-f", fasta, "-m", "/no/such/model")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert f"{vcf}: line 6: POS is 'ten'" in result.stderr


@pytest.mark.parametrize(("window", "warnings"), [(64, 0), (65, 1)])
def test_a_window_longer_than_trained_is_one_warning(work, files, window, warnings):
    vcf, fasta, _ = files
    result = work.run("score-variants", vcf, "-f", fasta, "-m", work.model, "-w", window)
    assert result.exit_code == 0
    assert result.stderr.count("warning: window 65 is longer than the 64 bases") == warnings
    assert result.stderr.count("warning") == warnings


@pytest.mark.parametrize(
    ("path", "name"),
    [("-", "stdin"), ("a/b.vcf.gz", "b"), ("b.g.vcf", "b.g"), ("x.fa", "x"), ("plain", "plain")],
)
def test_stem(path, name):
    assert session.stem(path) == name
