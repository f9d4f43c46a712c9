"""Work in chunks: what is read and not yet written stays bounded."""

from pathlib import Path

import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.windows import Window
from janusdna_cli.outputs.tables import TableWriter
from janusdna_cli.reading import chunks
from janusdna_cli.reading.chunks import Load, encode_window, in_chunks
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.regions import embedding
from janusdna_cli.runs.keeper import Keeper
from janusdna_cli.variants import agreement, scoring


def of_size(size):
    """An item of a row, of `size` bases and bytes."""
    return Load(1, size, size)


def items_of(chunked):
    return [chunk.items for chunk in chunked]


def test_chunks_are_bounded_in_number_in_bytes_and_in_cost(monkeypatch):
    monkeypatch.setattr(chunks, "_CHUNK_ITEMS", 3)
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 10)
    sizes = [1, 1, 1, 1, 9, 20, 1, 1]
    assert items_of(in_chunks(sizes, of_size, 1_000)) == [[1, 1, 1], [1, 9], [20], [1, 1]]
    assert items_of(in_chunks(sizes, lambda size: Load(1, size, 0), 10)) == [[1, 1, 1], [1, 9], [20], [1, 1]]
    assert items_of(in_chunks([], of_size, 1_000)) == []


def test_chunks_are_taken_only_when_asked_for(monkeypatch):
    monkeypatch.setattr(chunks, "_CHUNK_ITEMS", 3)
    taken = []
    coming = in_chunks((taken.append(i) or i for i in range(100)), of_size, 1_000)
    next(coming)
    assert taken == [0, 1, 2]


def test_chunks_tell_their_place_in_the_table_and_what_they_take():
    loads = [Load(rows, bases, rows * bases) for rows, bases in [(2, 3), (0, 4), (5, 1), (1, 9), (7, 0)]]
    found = list(in_chunks(loads, lambda load: load, 7))
    assert [(chunk.unit, chunk.is_last, chunk.first_row, chunk.load) for chunk in found] == [
        (0, True, 0, Load(2, 7, 6)),
        (1, True, 2, Load(6, 10, 14)),
        (2, True, 8, Load(7, 0, 0)),
    ]


def test_a_unit_ends_where_one_may(monkeypatch):
    """Items are letters; a unit may end after a capital."""

    def told(letters, bases):
        found = in_chunks(letters, lambda letter: Load(letter.isupper(), 1, 1), bases, ends_unit=str.isupper)
        return [("".join(chunk.items), chunk.unit, chunk.is_last, chunk.first_row) for chunk in found]

    monkeypatch.setattr(chunks, "_CHUNK_ITEMS", 3)
    assert told("aBcDefGHiJ", 2) == [
        ("aB", 0, True, 0),
        ("cD", 1, True, 1),
        ("ef", 2, False, 2),
        ("GH", 2, True, 2),
        ("iJ", 3, True, 4),
    ]
    assert told("abCdeFghijK", 1_000) == [
        ("abC", 0, True, 0),
        ("deF", 1, True, 1),
        ("ghi", 2, False, 2),
        ("jK", 2, True, 2),
    ]


class Ahead:
    """How many records were read and are not yet written, or kept, at most."""

    def __init__(self, monkeypatch):
        self.read = self.written = self.most = 0
        for taker, name, rows in (
            (TableWriter, "write_table", lambda table: table.num_rows),
            (Keeper, "add", lambda done: done.rows.num_rows),
        ):
            monkeypatch.setattr(taker, name, self._watched(getattr(taker, name), rows))

    def watch(self, records):
        for record in records:
            self.read += 1
            yield record

    def _watched(self, take, rows):
        def watched(taker, taken):
            self.most = max(self.most, self.read - self.written)
            self.written += rows(taken)
            take(taker, taken)

        return watched


@pytest.mark.parametrize("by", ["_CHUNK_ITEMS", "_CHUNK_BYTES"])
@pytest.mark.parametrize("piped", [True, False])
def test_variants_are_read_no_further_than_two_chunks_ahead(work, bases, monkeypatch, by, piped):
    ahead = Ahead(monkeypatch)
    monkeypatch.setattr(chunks, by, 8 if by == "_CHUNK_ITEMS" else 1_000)
    monkeypatch.setattr(agreement, "_ASSEMBLY_RECORDS", 10)
    check = scoring.of_one_assembly
    monkeypatch.setattr(scoring, "of_one_assembly", lambda records, *rest: check(ahead.watch(records), *rest))
    contig = bases(400)
    vcf = work.vcf(*(f"c {pos} . {contig[pos - 1]} <DEL>,{contig[pos - 1]}A" for pos in range(1, 301)))
    stdin = Path(vcf).read_bytes()
    table = work.score("-" if piped else vcf, "-f", work.fasta(c=contig), stdin=stdin)
    # What is kept is written at the end, all of it.
    assert (len(table), ahead.read, ahead.written) == (600, 300, 600 if piped else 1200)
    assert ahead.most <= 10 + 2 * 8


@pytest.mark.parametrize("by", ["_CHUNK_ITEMS", "_CHUNK_BYTES"])
@pytest.mark.parametrize("piped", [True, False])
def test_regions_are_read_no_further_than_two_chunks_ahead(work, bases, monkeypatch, by, piped):
    ahead = Ahead(monkeypatch)
    monkeypatch.setattr(chunks, by, 8 if by == "_CHUNK_ITEMS" else 20_000)
    done = embedding.Embedding.chunks
    monkeypatch.setattr(
        embedding.Embedding,
        "chunks",
        lambda job, bases: (setattr(job, "_regions", ahead.watch(job._regions)), done(job, bases))[1],
    )
    lines = [f"c {start} {start + 30}" for start in range(300)]
    bed = work.bed(*lines)
    table = work.embed(work.fasta(c=bases(400)), "-" if piped else bed, stdin=Path(bed).read_bytes())
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
