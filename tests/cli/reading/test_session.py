"""What the tasks share: chunks, names, windows, origins; and that memory stays bounded."""

import hashlib
import json
import sys

import pyarrow.parquet as pq
import pytest

import janusdna
from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window
from janusdna_cli.outputs.schemas import SCHEMA_VERSION
from janusdna_cli.outputs.tables import TableWriter
from janusdna_cli.reading import session
from janusdna_cli.reading.session import (
    ModelSettings,
    encode_window,
    in_chunks,
    is_seekable,
    open_model,
    stem,
)
from janusdna_cli.reading.windowing import WindowReader
from janusdna_cli.regions import embedding
from janusdna_cli.variants import plan as allele_plan
from janusdna_cli.variants import scoring


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/variants.vcf.gz", "variants"),
        ("x.y.bcf", "x.y"),
        ("hg38.fa.gz", "hg38"),
        ("peaks.narrowPeak", "peaks"),
        ("-", "stdin"),
        ("regions.txt", "regions.txt"),
    ],
)
def test_stem(path, name):
    assert stem(path) == name


def test_chunks_are_bounded_in_number_and_in_bytes(monkeypatch):
    monkeypatch.setattr(session, "_CHUNK_ITEMS", 3)
    monkeypatch.setattr(session, "_CHUNK_BYTES", 10)
    sizes = [1, 1, 1, 1, 9, 20, 1, 1]
    assert list(in_chunks(sizes, int)) == [[1, 1, 1], [1, 9], [20], [1, 1]]
    assert list(in_chunks([], int)) == []


def test_chunks_are_taken_only_when_asked_for(monkeypatch):
    monkeypatch.setattr(session, "_CHUNK_ITEMS", 3)
    taken = []
    chunks = in_chunks((taken.append(i) or i for i in range(100)), int)
    next(chunks)
    assert taken == [0, 1, 2]


class Ahead:
    """How many records were read and are not yet written, at most."""

    def __init__(self, monkeypatch):
        self.read = self.written = self.most = 0
        write = TableWriter.write

        def watched(writer, columns):
            self.most = max(self.most, self.read - self.written)
            self.written += len(columns["chrom"])
            write(writer, columns)

        monkeypatch.setattr(TableWriter, "write", watched)

    def watch(self, records):
        for record in records:
            self.read += 1
            yield record


@pytest.mark.parametrize("by", ["_CHUNK_ITEMS", "_CHUNK_BYTES"])
def test_variants_are_read_no_further_than_two_chunks_ahead(work, bases, monkeypatch, by):
    ahead = Ahead(monkeypatch)
    monkeypatch.setattr(session, by, 8 if by == "_CHUNK_ITEMS" else 1_000)
    monkeypatch.setattr(allele_plan, "_ASSEMBLY_RECORDS", 10)
    plan = scoring.plan_alleles
    monkeypatch.setattr(
        scoring, "plan_alleles", lambda records, *rest, **named: plan(ahead.watch(records), *rest, **named)
    )
    contig = bases(400)
    vcf = work.vcf(*(f"c {pos} . {contig[pos - 1]} <DEL>,{contig[pos - 1]}A" for pos in range(1, 301)))
    table = work.score(vcf, "-f", work.fasta(c=contig))
    assert (len(table), ahead.read, ahead.written) == (600, 300, 600)
    assert ahead.most <= 10 + 2 * 8


@pytest.mark.parametrize("by", ["_CHUNK_ITEMS", "_CHUNK_BYTES"])
def test_regions_are_read_no_further_than_two_chunks_ahead(work, bases, monkeypatch, by):
    ahead = Ahead(monkeypatch)
    monkeypatch.setattr(session, by, 8 if by == "_CHUNK_ITEMS" else 20_000)
    regions = embedding.read_regions
    monkeypatch.setattr(embedding, "read_regions", lambda source: ahead.watch(regions(source)))
    data = "".join(f"c\t{start}\t{start + 30}\n" for start in range(300))
    table = work.embed(work.fasta(c=bases(400)), "-", stdin=data.encode())
    assert (len(table), ahead.read) == (300, 300)
    assert ahead.most <= 1 + 2 * 8


def test_a_long_region_is_read_in_bounded_pieces(work, bases, monkeypatch):
    monkeypatch.setattr(session, "_CHUNK_ITEMS", 8)
    read, most = WindowReader.read, []

    def watched(reader, requests):
        most.append(len(requests))
        return read(reader, requests)

    monkeypatch.setattr(WindowReader, "read", watched)
    table = work.embed(work.fasta(c=bases(3_000)), work.bed("c 0 3000"))
    assert table["n_bases"].tolist() == [3_000]
    assert sum(most) >= 3_000 // 32 - 1
    assert max(most) == 8


def test_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "x"
    path.touch()
    assert is_seekable(str(path))
    assert not is_seekable("-")
    assert not is_seekable("/dev/null")


def test_a_letter_that_is_no_base_is_named_with_its_place(work):
    path = work.fasta(protein="ACGTACGT" * 5 + "MEEPQS*L")
    with Reference.open(path) as reference, pytest.raises(InputError) as caught:
        encode_window(reference, Window("protein", 30, 48))
    assert f"{path}: protein:30-48: position 11 is 'E'" in str(caught.value)
    assert "is this a nucleotide FASTA?" in str(caught.value)


def test_who_names_no_model_gets_the_bundled_one(tmp_path, monkeypatch):
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path)
    assert open_model(ModelSettings()).info.name == "janusdna-32"


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
    }
    options = ["--pool", "max", "--strand-aware", "--no-rc"]
    work.embed(work.fasta(**contigs), work.bed("two 3 9", "four 1 2"), *options)
    found = json.loads(pq.read_metadata(work.folder / "out.parquet").metadata[b"janusdna"])
    assert list(found["contig_md5"]) == ["two"]
    assert (found["window"], found["pool"], found["strand_aware"]) == (64, "max", True)
    assert found["both_strands"] is False


def test_md5_is_that_of_samtools(work, bases):
    """`echo -n ACGT | md5sum`."""
    with Reference.open(work.fasta(c="acGT")) as reference:
        assert reference.md5("c") == "f1f8f4bf413b16ad135722aa4591043e"
