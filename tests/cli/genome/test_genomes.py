"""Several FASTA files as one."""

import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.genomes import GenomeFile, Genomes, genome_file


@pytest.fixture
def human(tmp_path):
    path = tmp_path / "hg38.fa"
    path.write_text(">chr1\nACGTacgt\n>chr2\nTTTT\n")
    return str(path)


@pytest.fixture
def mouse(tmp_path):
    path = tmp_path / "mm10.fa"
    path.write_text(">chr1\nGGGGG\n>chrM\nAC\n")
    return str(path)


def test_contigs_of_named_genomes(human, mouse):
    with Genomes([GenomeFile(human, "human"), GenomeFile(mouse, "mouse")]) as genomes:
        assert genomes.lengths == {"human.chr1": 8, "human.chr2": 4, "mouse.chr1": 5, "mouse.chrM": 2}
        assert genomes.fetch("human.chr1", 2, 6) == b"GTAC"
        assert genomes.fetch_as_written("human.chr1", 2, 6) == b"GTac"
        assert genomes.fetch("mouse.chr1", 0, 5) == b"GGGGG"
        assert genomes.genomes["mouse.chrM"] == "mouse"


def test_one_without_a_name_keeps_its_names(human):
    with Genomes([GenomeFile(human)]) as genomes:
        assert genomes.lengths == {"chr1": 8, "chr2": 4}
        assert genomes.genomes["chr1"] == ""


def test_parts_of_one_genome(human, tmp_path):
    (tmp_path / "more.fa").write_text(">chr3\nAAA\n")
    files = [GenomeFile(human, "human"), GenomeFile(str(tmp_path / "more.fa"), "human")]
    with Genomes(files) as genomes:
        assert genomes.lengths == {"human.chr1": 8, "human.chr2": 4, "human.chr3": 3}


def test_a_contig_in_two_files(human, mouse):
    with pytest.raises(InputError) as error:
        Genomes([GenomeFile(human), GenomeFile(mouse)])
    said = str(error.value)
    assert said.startswith(f"{mouse}: has a contig chr1, as {human} has")
    assert f"--fasta human={human}" in said


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("hg38.fa", GenomeFile("hg38.fa")),
        ("human=hg38.fa", GenomeFile("hg38.fa", "human")),
        ("human=data/hg38.fa", GenomeFile("data/hg38.fa", "human")),
        ("data/a=b/hg38.fa", GenomeFile("data/a=b/hg38.fa")),
        ("=hg38.fa", GenomeFile("=hg38.fa")),
    ],
)
def test_what_is_named(given, expected):
    assert genome_file(given) == expected


def test_a_file_with_an_equals_sign(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.fa").write_text(">x\nACGT\n")
    assert genome_file("a=b.fa") == GenomeFile("a=b.fa")
