"""Transcripts of every format, each against the same ones written down by hand."""

import gzip
import itertools
import logging
import subprocess
import sys

import pysam
import pytest

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.genes import read_transcripts
from janusdna_cli.genome.transcripts import Transcript

# A gene on each strand with three exons, the second one's stop codon cut by an intron; and one that codes not.
PLUS = Transcript("NM_1", "ONE", "chr1", "+", ((100, 200), (300, 400), (500, 600)), (150, 520))
MINUS = Transcript("NM_2", "TWO", "chr2", "-", ((1000, 1100), (1200, 1300), (1400, 1500)), (1098, 1450))
SILENT = Transcript("NR_3", "THREE", "chr1", "+", ((700, 800),), None)
ALL = [PLUS, MINUS, SILENT]


def gtf_line(contig, feature, start, end, strand, attributes):
    return "\t".join([contig, "x", feature, str(start), str(end), ".", strand, ".", attributes])


def of(transcript, gene):
    return f'gene_id "{gene}_ID"; transcript_id "{transcript}"; exon_number 1; gene_name "{gene}";'


# As Ensembl has it: CDS without the stop codon.
GTF = [
    "#!genome-build GRCh38",
    gtf_line("chr1", "gene", 101, 600, "+", 'gene_id "ONE_ID"; gene_name "ONE";'),
    gtf_line("chr1", "transcript", 101, 600, "+", of("NM_1", "ONE")),
    gtf_line("chr1", "exon", 101, 200, "+", of("NM_1", "ONE")),
    gtf_line("chr1", "CDS", 151, 200, "+", of("NM_1", "ONE")),
    gtf_line("chr1", "start_codon", 151, 153, "+", of("NM_1", "ONE")),
    gtf_line("chr1", "exon", 301, 400, "+", of("NM_1", "ONE")),
    gtf_line("chr1", "CDS", 301, 400, "+", of("NM_1", "ONE")),
    gtf_line("chr1", "exon", 501, 600, "+", of("NM_1", "ONE")),
    gtf_line("chr1", "CDS", 501, 517, "+", of("NM_1", "ONE")),
    gtf_line("chr1", "stop_codon", 518, 520, "+", of("NM_1", "ONE")),
    gtf_line("chr2", "exon", 1401, 1500, "-", of("NM_2", "TWO")),
    gtf_line("chr2", "CDS", 1401, 1450, "-", of("NM_2", "TWO")),
    gtf_line("chr2", "exon", 1201, 1300, "-", of("NM_2", "TWO")),
    gtf_line("chr2", "CDS", 1202, 1300, "-", of("NM_2", "TWO")),
    gtf_line("chr2", "stop_codon", 1201, 1201, "-", of("NM_2", "TWO")),
    gtf_line("chr2", "stop_codon", 1099, 1100, "-", of("NM_2", "TWO")),
    gtf_line("chr2", "exon", 1001, 1100, "-", of("NM_2", "TWO")),
    gtf_line("chr1", "exon", 701, 800, "+", of("NR_3", "THREE")),
]
GFF = [
    "##gff-version 3",
    "##sequence-region chr1 1 2000",
    gtf_line("chr1", "region", 1, 2000, "+", "ID=chr1:1..2000"),
    gtf_line("chr1", "gene", 101, 600, "+", "ID=gene-ONE;Name=ONE"),
    gtf_line("chr1", "mRNA", 101, 600, "+", "ID=rna-NM_1;Parent=gene-ONE;transcript_id=NM_1"),
    gtf_line("chr1", "exon", 101, 200, "+", "ID=exon-1;Parent=rna-NM_1"),
    gtf_line("chr1", "exon", 301, 400, "+", "ID=exon-2;Parent=rna-NM_1"),
    gtf_line("chr1", "exon", 501, 600, "+", "ID=exon-3;Parent=rna-NM_1"),
    gtf_line("chr1", "CDS", 151, 200, "+", "ID=cds-1;Parent=rna-NM_1"),
    gtf_line("chr1", "CDS", 301, 400, "+", "ID=cds-1;Parent=rna-NM_1"),
    gtf_line("chr1", "CDS", 501, 520, "+", "ID=cds-1;Parent=rna-NM_1"),
    gtf_line("chr2", "exon", 1401, 1500, "-", "Parent=rna-NM_2"),
    gtf_line("chr2", "exon", 1201, 1300, "-", "Parent=rna-NM_2"),
    gtf_line("chr2", "exon", 1001, 1100, "-", "Parent=rna-NM_2"),
    gtf_line("chr2", "CDS", 1401, 1450, "-", "ID=cds-2;Parent=rna-NM_2"),
    gtf_line("chr2", "CDS", 1099, 1100, "-", "ID=cds-2;Parent=rna-NM_2"),
    gtf_line("chr2", "gene", 1001, 1500, "-", "ID=gene-TWO;gene=TWO"),
    gtf_line("chr2", "mRNA", 1001, 1500, "-", "ID=rna-NM_2;Parent=gene-TWO"),
    gtf_line("chr1", "lnc_RNA", 701, 800, "+", "ID=rna-NR_3;Parent=THREE"),
    gtf_line("chr1", "exon", 701, 800, "+", "Parent=rna-NR_3"),
    "##FASTA",
    ">chr1",
    "ACGT",
]
PRED = [
    ["NM_1", "chr1", "+", "100", "600", "150", "520", "3", "100,300,500,", "200,400,600,"],
    ["NM_2", "chr2", "-", "1000", "1500", "1098", "1450", "3", "1000,1200,1400,", "1100,1300,1500,"],
    ["NR_3", "chr1", "+", "700", "800", "800", "800", "1", "700,", "800,"],
]
GENES = ["ONE", "TWO", "THREE"]
MORE = [["0", gene, "cmpl", "cmpl", "0,1,2,"] for gene in GENES]


def table(before, after):
    return ["\t".join(a + row + b) for a, row, b in zip(before, PRED, after, strict=True)]


NONE, BIN = [[]] * 3, [["585"]] * 3
WRITTEN = {
    "GTF": GTF,
    "GFF3": GFF,
    "refGene": ["#bin\tname\tchrom", *table(BIN, MORE)],
    "genePredExt": table(NONE, MORE),
    "refFlat": table([[gene] for gene in GENES], NONE),
}


def written(tmp_path, lines, end="\n"):
    path = tmp_path / "genes"
    path.write_bytes("".join(line + end for line in lines).encode())
    return str(path)


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_format_tells_the_same(tmp_path, name, end):
    assert list(read_transcripts(written(tmp_path, WRITTEN[name], end))) == ALL


@pytest.mark.parametrize("before", [NONE, BIN])
def test_a_table_without_genes_has_transcripts_for_genes(tmp_path, before):
    found = list(read_transcripts(written(tmp_path, table(before, NONE))))
    assert [(one.name, one.gene) for one in found] == [(one.name, one.name) for one in ALL]
    assert [one.exons for one in found] == [one.exons for one in ALL]


@pytest.mark.parametrize("way", ["gzip", "bgzip", "stdin"])
def test_compressed_or_from_a_pipe(tmp_path, way):
    path = written(tmp_path, GTF)
    data = (tmp_path / "genes").read_bytes()
    if way == "gzip":
        (tmp_path / "genes").write_bytes(gzip.compress(data))
    elif way == "bgzip":
        pysam.tabix_compress(path, path + ".gz")
        path += ".gz"
    else:
        code = "from janusdna_cli.genome.genes import read_transcripts as r; print(len(list(r('-'))))"
        run = subprocess.run([sys.executable, "-c", code], input=gzip.compress(data), capture_output=True)
        assert run.stdout == b"3\n", run.stderr
        return
    assert list(read_transcripts(path)) == ALL


def test_without_exons_what_codes_is_the_exons(tmp_path):
    lines = [line for line in GTF if "\texon\t" not in line]
    found = list(read_transcripts(written(tmp_path, lines)))
    assert found == [
        Transcript("NM_1", "ONE", "chr1", "+", ((150, 200), (300, 400), (500, 520)), (150, 520)),
        Transcript("NM_2", "TWO", "chr2", "-", ((1098, 1100), (1200, 1300), (1400, 1450)), (1098, 1450)),
    ]


def test_a_bacterial_gene_is_its_transcript(tmp_path):
    lines = [
        gtf_line("chr", "gene", 11, 40, "-", "ID=gene-b1;Name=thrA"),
        gtf_line("chr", "CDS", 11, 40, "-", "ID=cds-b1;Parent=gene-b1"),
        gtf_line("chr", "CDS", 51, 80, "+", "ID=cds-b2"),
    ]
    assert list(read_transcripts(written(tmp_path, lines))) == [
        Transcript("thrA", "thrA", "chr", "-", ((10, 40),), (10, 40)),
        Transcript("b2", "b2", "chr", "+", ((50, 80),), (50, 80)),
    ]


def test_exons_of_a_gene_beside_those_of_its_transcripts_are_left_out(tmp_path):
    lines = [*GFF[:20], gtf_line("chr1", "exon", 101, 250, "+", "Parent=gene-ONE")]
    assert list(read_transcripts(written(tmp_path, lines))) == ALL


def test_an_exon_of_several_transcripts_and_names_that_are_escaped(tmp_path):
    lines = [
        gtf_line("c", "mRNA", 1, 9, "+", "ID=a;Name=a%2C1"),
        gtf_line("c", "exon", 1, 9, "+", "Parent=a,b"),
    ]
    found = list(read_transcripts(written(tmp_path, lines)))
    assert [(one.name, one.exons) for one in found] == [("a,1", ((0, 9),)), ("b", ((0, 9),))]


def test_one_name_on_two_contigs_is_two_transcripts(tmp_path):
    lines = [gtf_line(contig, "exon", 1, 9, "+", of("NM_1", "ONE")) for contig in ("chrX", "chrY")]
    assert [one.contig for one in read_transcripts(written(tmp_path, lines))] == ["chrX", "chrY"]


@pytest.mark.parametrize(
    ("name", "line", "problem"),
    [
        ("GTF", gtf_line("chr1", "exon", 9, 3, "+", of("a", "b")), "end 3 lies before start 9; swap them or"),
        (
            "GTF",
            gtf_line("chr1", "exon", 0, 3, "+", of("a", "b")),
            "start is '0', expected a whole number, 1",
        ),
        ("GTF", gtf_line("chr1", "exon", "x", 3, "+", of("a", "b")), "start is 'x', expected a whole number"),
        ("GTF", gtf_line("chr1", "exon", 1, 3, ".", of("a", "b")), "strand is '.', expected + or -"),
        ("GTF", gtf_line("chr1", "exon", 1, 3, "+", 'gene_id "a"'), "in column 9, expected transcript_id"),
        ("GTF", "chr1 exon 1 3", "found 1 columns, expected 9 separated by tabs"),
        ("GFF3", gtf_line("chr1", "CDS", 1, 3, "+", "Name=a"), "in column 9, expected Parent=ID"),
        ("refGene", "585\tNM_1\tchr1\t+", "found 4 columns, expected 10 to 16 separated by tabs"),
        ("refGene", table(BIN, MORE)[0].replace("\t3\t", "\t2\t"), "3 exonStarts and 3 exonEnds, expected 2"),
        (
            "refGene",
            table(BIN, MORE)[0].replace("200,", "99,"),
            "found an exon from 100 to 99, expected its end",
        ),
        ("refGene", table(BIN, MORE)[0].replace("+", "?"), "expected + or -"),
        (
            "refGene",
            table(BIN, MORE)[0].replace("100,", "-1,"),
            "exonStarts is '-1', expected a whole number",
        ),
    ],
)
def test_a_line_that_cannot_be_read_is_told_and_passed_over(tmp_path, caplog, name, line, problem):
    lines = [*itertools.takewhile(lambda one: one != "##FASTA", WRITTEN[name]), line]
    path = written(tmp_path, lines)
    with caplog.at_level(logging.WARNING, "janusdna"):
        assert list(read_transcripts(path)) == ALL
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith(f"{path}: line {len(lines)}: ")
    assert problem in message
    assert message.endswith("; the line is passed over")


def test_many_such_lines_are_counted(tmp_path, caplog):
    path = written(tmp_path, ["nothing", *GTF, *["chr1\tx\texon"] * 3])
    with caplog.at_level(logging.WARNING, "janusdna"):
        assert list(read_transcripts(path)) == ALL
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith(f"{path}: line 1: found 'nothing', expected GTF, GFF3 or a genePred table")
    assert message.endswith("; the line is passed over; 3 more lines were passed over")


def test_a_file_of_which_no_line_can_be_read(tmp_path):
    path = written(tmp_path, ["# c", ">chr1", *["ACGT"] * 5000])
    with pytest.raises(RecordError) as caught:
        list(read_transcripts(path))
    assert str(caught.value) == (
        f"{path}: line 2: found '>chr1', expected GTF, GFF3 or a genePred table such as refGene.txt"
    )


@pytest.mark.parametrize("lines", [[], ["# nothing"], ["", " "], GTF[:3]])
def test_a_file_without_transcripts(tmp_path, lines):
    path = written(tmp_path, lines)
    with pytest.raises(InputError) as caught:
        list(read_transcripts(path))
    assert str(caught.value).startswith(
        f"{path}: holds no transcript, expected GTF, GFF3 or a genePred table"
    )


def test_a_file_that_is_cut_off(tmp_path):
    path = tmp_path / "genes.gz"
    path.write_bytes(gzip.compress("".join(line + "\n" for line in GTF * 200).encode())[:-300])
    with pytest.raises(RecordError, match="cut off"):
        list(read_transcripts(str(path)))


def test_what_codes_is_whole_codons_in_real_files(shared):
    for name, fewest in (("ensembl_CDS.GRCh38_chr1_chunks.gtf.gz", 320), ("vep_test.gff3.gz", 700)):
        found = list(read_transcripts(str(shared / "data" / "annotation" / name)))
        coding = [sum(end - start for start, end in one.coding_exons()) for one in found if one.coding]
        assert sum(length % 3 == 0 for length in coding) > fewest
