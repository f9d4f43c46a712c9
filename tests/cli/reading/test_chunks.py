"""Work in chunks: what is read and not yet written stays bounded."""

import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window
from janusdna_cli.outputs.tables import TableWriter
from janusdna_cli.reading import chunks
from janusdna_cli.reading.chunks import encode_window, in_chunks
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.regions import embedding
from janusdna_cli.variants import plan as allele_plan
from janusdna_cli.variants import scoring


def test_chunks_are_bounded_in_number_and_in_bytes(monkeypatch):
    monkeypatch.setattr(chunks, "_CHUNK_ITEMS", 3)
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 10)
    sizes = [1, 1, 1, 1, 9, 20, 1, 1]
    assert list(in_chunks(sizes, int)) == [[1, 1, 1], [1, 9], [20], [1, 1]]
    assert list(in_chunks([], int)) == []


def test_chunks_are_taken_only_when_asked_for(monkeypatch):
    monkeypatch.setattr(chunks, "_CHUNK_ITEMS", 3)
    taken = []
    coming = in_chunks((taken.append(i) or i for i in range(100)), int)
    next(coming)
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
    monkeypatch.setattr(chunks, by, 8 if by == "_CHUNK_ITEMS" else 1_000)
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
    monkeypatch.setattr(chunks, by, 8 if by == "_CHUNK_ITEMS" else 20_000)
    regions = embedding.read_regions
    monkeypatch.setattr(embedding, "read_regions", lambda source: ahead.watch(regions(source)))
    data = "".join(f"c\t{start}\t{start + 30}\n" for start in range(300))
    table = work.embed(work.fasta(c=bases(400)), "-", stdin=data.encode())
    assert (len(table), ahead.read) == (300, 300)
    assert ahead.most <= 1 + 2 * 8


def test_a_long_region_is_read_in_bounded_pieces(work, bases, monkeypatch):
    monkeypatch.setattr(chunks, "_CHUNK_ITEMS", 8)
    read, most = WindowReader.answer, []

    def watched(reader, requests):
        most.append(len(requests))
        return read(reader, requests)

    monkeypatch.setattr(WindowReader, "answer", watched)
    table = work.embed(work.fasta(c=bases(3_000)), work.bed("c 0 3000"))
    assert table["n_bases"].tolist() == [3_000]
    assert sum(most) >= 3_000 // 32 - 1
    assert max(most) == 8


def test_a_letter_that_is_no_base_is_named_with_its_place(work):
    path = work.fasta(protein="ACGTACGT" * 5 + "MEEPQS*L")
    with Reference.open(path) as reference, pytest.raises(InputError) as caught:
        encode_window(reference, Window("protein", 30, 48))
    assert f"{path}: protein:30-48: position 11 is 'E'" in str(caught.value)
    assert "is this a nucleotide FASTA?" in str(caught.value)
