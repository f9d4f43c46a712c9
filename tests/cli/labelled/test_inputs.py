"""Sequences with labels from every format: the same items, or a line that says where and what."""

import gzip
import random
import shutil
import subprocess

import pandas as pd
import pysam
import pytest

from janusdna_cli.errors import JanusDNAError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.labelled.opening import Source, kind_of, open_items

ROWS = [("a", "ACGTN", "1"), ("b", "acguT", "0"), ("c", "GG", "1")]


def items(path, **options):
    return list(open_items(Source(path=str(path), **options)))


def told(found):
    return [(item.keys["id"], item.sequence, item.label) for item in found]


@pytest.mark.parametrize("form", ["tsv", "csv", "tsv.gz", "parquet"])
def test_tables_of_all_forms(tmp_path, form):
    frame = pd.DataFrame(ROWS, columns=["id", "sequence", "label"]).assign(part=["train", "dev", "test"])
    path = tmp_path / f"x.{form}"
    if form == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="," if form == "csv" else "\t", index=False)
    found = items(path, part="part")
    assert told(found) == ROWS
    assert [item.part for item in found] == ["train", "dev", "test"]
    assert told(items(path, where=("part", "test"))) == ROWS[2:]
    assert kind_of(str(path)) == "sequence"


def test_rows_without_a_name_have_their_number(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("sequence,label\nACG,x\nTTT,y\n")
    assert told(items(path)) == [("1", "ACG", "x"), ("2", "TTT", "y")]


def test_several_columns_of_labels(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("sequence\tone\ttwo\nACG\t1\t0.5\nACG\t\t2\n")
    assert [item.label for item in items(path, label="one,two")] == ["1,0.5", None]


@pytest.mark.parametrize("packed", [False, True])
def test_a_fasta_with_labels_in_its_headers(tmp_path, packed):
    text = ">a of something|1\nACG\nTN\n>b|x|0\nAC GU".replace("AC GU", "ACGU\n")
    path = tmp_path / "x.fna"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert told(items(path)) == [("a", "ACGTN", "1"), ("b|x", "ACGU", "0")]


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_regions_are_cut_as_bedtools_does(tmp_path):
    chance = random.Random(2)
    fasta = tmp_path / "genome.fa"
    fasta.write_text("".join(f">c{i}\n{''.join(chance.choices('ACGTacgtNR', k=200))}\n" for i in range(3)))
    lines = []
    for number in range(40):
        start = chance.randrange(150)
        place = f"c{chance.randrange(3)}\t{start}\t{start + chance.randrange(1, 50)}"
        lines.append(f"{place}\tr{number}\t{number % 3}\t{chance.choice('+-')}\n")
    bed = tmp_path / "x.bed"
    bed.write_text("".join(lines))
    command = ["bedtools", "getfasta", "-s", "-tab", "-fi", fasta, "-bed", bed]
    cut = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    with Reference.open(str(fasta)) as genome:
        found = items(bed, genome=genome, label="5")
    assert [item.sequence for item in found] == [line.split("\t")[1].upper() for line in cut]
    assert [item.label for item in found] == [line.split("\t")[4] for line in lines]
    assert kind_of(str(bed)) == "region"


@pytest.mark.parametrize("form", ["vcf", "bcf"])
def test_variants_are_their_window_with_ref_and_with_alt(tmp_path, form):
    chance = random.Random(3)
    bases = "".join(chance.choices("ACGT", k=300))
    fasta = tmp_path / "genome.fa"
    fasta.write_text(f">chr1\n{bases}\n")
    header = (
        '##fileformat=VCFv4.2\n##contig=<ID=chr1,length=300>\n##INFO=<ID=Y,Number=A,Type=Integer,Description="y">\n'
        '##INFO=<ID=Z,Number=1,Type=String,Description="z">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n'
    )
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    records = [
        (100, bases[99], f"{other[bases[99]]},{bases[99]}AA", "Y=1,0;Z=good"),
        (150, bases[149:153], bases[149], "Y=1;Z=bad"),
        (200, bases[199], "*", "Y=0;Z=good"),
    ]
    vcf = tmp_path / "x.vcf"
    vcf.write_text(header + "".join(f"chr1\t{p}\t.\t{r}\t{a}\t.\t.\t{i}\n" for p, r, a, i in records))
    path = vcf
    if form == "bcf":
        path = tmp_path / "x.bcf"
        with (
            pysam.VariantFile(str(vcf)) as source,
            pysam.VariantFile(str(path), "wb", header=source.header) as out,
        ):
            for record in source:
                out.write(record)
    with Reference.open(str(fasta)) as genome:
        found = items(path, genome=genome, label="INFO/Y", window=60)
        named = items(path, genome=genome, label="INFO/Z", window=60)
    assert [item.label for item in found] == ["1", "0", "1", "0"]
    assert [item.label for item in named] == ["good", "good", "bad", "good"]
    assert [item.status for item in found] == ["ok", "ok", "ok", "spanning_deletion"]
    whole = [
        bases[:99] + other[bases[99]] + bases[100:],
        bases[:99] + bases[99] + "AA" + bases[100:],
        bases[:149] + bases[149] + bases[153:],
    ]
    for item, edited in zip(found, whole, strict=False):
        assert item.sequence in bases
        assert len(item.sequence) == 60
        assert item.alternative in edited
        assert item.alternative not in bases
    assert kind_of(str(path)) == "variant"


def test_folders_of_both_layouts_hold_the_same(tmp_path):
    chance = random.Random(4)
    bases = "".join(chance.choices("ACGT", k=500))
    (tmp_path / "genome.fa").write_text(f">chr1\n{bases}\n")
    complement = str.maketrans("ACGT", "TGCA")
    expected = []
    for part in ("train", "test"):
        for label in ("negative", "positive"):
            rows = ["id,region,start,end,strand"]
            (tmp_path / "texts" / part / label).mkdir(parents=True)
            for number in range(3):
                start, strand = chance.randrange(400), chance.choice("+-")
                rows.append(f"{number},chr1,{start},{start + 50},{strand}")
                cut = bases[start : start + 50]
                cut = cut if strand == "+" else cut[::-1].translate(complement)
                (tmp_path / "texts" / part / label / f"{number}.txt").write_text(cut)
                expected.append((f"{part}/{label}/{number}", cut, label, part))
            coordinates = tmp_path / "coordinates" / part
            coordinates.mkdir(parents=True, exist_ok=True)
            with gzip.open(coordinates / f"{label}.csv.gz", "wt") as file:
                file.write("\n".join(rows) + "\n")
    with Reference.open(str(tmp_path / "genome.fa")) as genome:
        for layout in ("texts", "coordinates"):
            found = items(tmp_path / layout, genome=genome)
            assert [(*one, item.part) for one, item in zip(told(found), found, strict=True)] == expected


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        ("x.tsv", "id\tlabel\na\t1\n", {}, "x.tsv: sequence: no such column, found id, label"),
        ("x.tsv", "sequence\ty\nA\t1\n", {}, "x.tsv: --label label: no such column, found sequence, y"),
        ("x.tsv", "sequence\tlabel\nA\t1\n", {"part": "fold"}, "--split fold: no such column"),
        ("x.tsv", "sequence\tlabel\nA\t1\n", {"where": ("t", "1")}, "--where t: no such column"),
        ("x.tsv", "", {}, "x.tsv: no table with a header"),
        ("x.fa", ">a\nACG\n", {}, "x.fa: line 1: header 'a' has no label, expected it after the last |"),
        ("x.fa", ">a|1\nACG\n", {"part": "p"}, "x.fa: --split: only tables have"),
        ("x.bed", "chr1\t1\t5\tx\n", {}, "x.bed: is a BED, which has no bases; pass its genome with -f"),
        (
            "x.vcf",
            "##fileformat=VCFv4.2\n",
            {},
            "x.vcf: is a VCF, which has no bases; pass its genome with -f",
        ),
    ],
)
def test_what_is_not_there_is_one_line(tmp_path, name, text, options, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(JanusDNAError) as caught:
        items(tmp_path / name, **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_variant_without_the_label_is_one_line(tmp_path):
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGT" * 50 + "\n")
    vcf = tmp_path / "x.vcf"
    vcf.write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t9\t.\tA\tC\t.\t.\tX=1\n"
    )
    with Reference.open(str(tmp_path / "genome.fa")) as genome:
        with pytest.raises(JanusDNAError, match="allele 1: INFO has no Y, expected the label there"):
            items(vcf, genome=genome, label="INFO/Y")
        with pytest.raises(JanusDNAError, match="--label Y: expected INFO/NAME"):
            items(vcf, genome=genome, label="Y")
