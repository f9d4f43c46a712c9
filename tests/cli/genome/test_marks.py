"""Kinds and weights of bases, against painting base by base."""

import gzip
import logging
import random

import numpy as np
import pytest

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.genomes import GenomeFile, Genomes
from janusdna_cli.genome.marks import UNMARKED, Marks, read_marks
from janusdna_cli.genome.windows import Window

LENGTHS = {"chr1": 300, "chr2": 40, "chrM": 16}


@pytest.fixture(scope="module")
def genomes(tmp_path_factory: pytest.TempPathFactory) -> Genomes:
    path = tmp_path_factory.mktemp("marks") / "g.fa"
    path.write_text("".join(f">{name}\n{'A' * length}\n" for name, length in LENGTHS.items()))
    return Genomes([GenomeFile(str(path))])


def bed(tmp_path, *lines: str) -> str:
    path = tmp_path / "weights.bed"
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


def told(marks: Marks, window: Window) -> list[tuple[str, float]]:
    kinds, weights = marks.at(window)
    assert (kinds.dtype, weights.dtype) == (np.uint8, np.float32)
    return [(marks.kinds[kind], float(weight)) for kind, weight in zip(kinds, weights, strict=True)]


def test_lines_say_kind_and_weight(genomes: Genomes, tmp_path) -> None:
    path = bed(tmp_path, "chr2\t2\t4\texon\t2.5", "2\t6\t7\trepeat\t0.125", "chr2\t7\t9\texon")
    marks = read_marks(path, genomes)
    assert marks.kinds == (UNMARKED, "exon", "repeat")
    none = (UNMARKED, 1.0)
    expected = [none, none, ("exon", 2.5), ("exon", 2.5), none, none, ("repeat", 0.125), ("exon", 1.0)]
    assert told(marks, Window("chr2", 0, 8)) == expected
    assert told(marks, Window("chr2", 3, 7)) == expected[3:7]
    assert told(marks, Window("chr2", 8, 40)) == [("exon", 1.0)] + [none] * 31
    assert told(marks, Window("chr1", 5, 8)) == [none] * 3


def test_the_later_line_holds(genomes: Genomes, tmp_path) -> None:
    rng = random.Random(3)
    lines, expected = [], {}
    for _ in range(60):
        start = rng.randrange(300)
        end, kind, weight = rng.randint(start, 300), rng.choice("abc"), rng.choice([0.0, 0.5, 2.0])
        lines.append(f"chr1\t{start}\t{end}\t{kind}\t{weight}")
        expected |= dict.fromkeys(range(start, end), (kind, weight))
    marks = read_marks(bed(tmp_path, *lines), genomes)
    for start in range(0, 300, 17):
        window = Window("chr1", start, rng.randint(start + 1, 300))
        wanted = [expected.get(at, (UNMARKED, 1.0)) for at in range(window.start, window.end)]
        assert told(marks, window) == wanted


def test_kinds_of_named_genomes_are_told_apart(tmp_path) -> None:
    files = []
    for name in ("human", "mouse"):
        path = tmp_path / f"{name}.fa"
        path.write_text(">chr1\nACGTACGT\n")
        files.append(GenomeFile(str(path), name))
    with Genomes(files) as both:
        path = bed(tmp_path, "human.chr1\t0\t2\texon\t1", "mouse.chr1\t1\t3\texon\t1", "mouse.chr1\t3\t4")
        marks = read_marks(path, both)
    assert [kind for kind, _ in told(marks, Window("human.chr1", 0, 3))] == ["human.exon"] * 2 + [UNMARKED]
    assert [kind for kind, _ in told(marks, Window("mouse.chr1", 1, 4))] == ["mouse.exon"] * 2 + ["mouse"]


def test_the_digest_is_of_the_contents(genomes: Genomes, tmp_path) -> None:
    lines = ["chr1\t0\t9\ta\t2", "chr2\t1\t3\tb\t0.5"]
    digest = read_marks(bed(tmp_path, *lines), genomes).digest()
    (tmp_path / "w.bed.gz").write_bytes(gzip.compress("\n".join(["# again", *lines]).encode()))
    assert read_marks(str(tmp_path / "w.bed.gz"), genomes).digest() == digest
    for other in ("chr2\t1\t3\tb\t0.25", "chr2\t1\t4\tb\t0.5", "chr2\t1\t3\tc\t0.5", "chrM\t1\t3\tb\t0.5"):
        assert read_marks(bed(tmp_path, lines[0], other), genomes).digest() != digest


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("chr2\t0\t41\texon\t1", "chr2:0-41 reaches outside the contig's 40 bases; the weights are probably"),
        ("chr2\t0\t4\texon\tx", "found 'x' in column 5, expected a weight, a number of 0 or more"),
        ("chr2\t0\t4\texon\t-1", "found '-1' in column 5, expected a weight, a number of 0 or more"),
        ("chr2\t0\t4\texon\tnan", "found 'nan' in column 5, expected a weight, a number of 0 or more"),
    ],
)
def test_a_wrong_line(genomes: Genomes, tmp_path, line: str, problem: str) -> None:
    path = bed(tmp_path, "chr1\t0\t1\texon\t1", line)
    with pytest.raises(RecordError) as caught:
        read_marks(path, genomes)
    assert str(caught.value).startswith(f"{path}: line 2: {problem}")


def test_lines_of_other_contigs(genomes: Genomes, tmp_path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "janusdna"):
        marks = read_marks(bed(tmp_path, "chrUn_1\t0\t9\trepeat\t0", "chrM\t0\t4\trepeat\t0"), genomes)
    assert not caplog.records
    assert told(marks, Window("chrM", 3, 5)) == [("repeat", 0.0), (UNMARKED, 1.0)]
    with pytest.raises(InputError, match="no line is on a contig of"):
        read_marks(bed(tmp_path, "chrUn_1\t0\t9\trepeat\t0"), genomes)


def test_too_many_kinds(genomes: Genomes, tmp_path) -> None:
    lines = [f"chr1\t{at}\t{at + 1}\tkind{at}\t1" for at in range(256)]
    assert len(read_marks(bed(tmp_path, *lines[:255]), genomes).kinds) == 256
    with pytest.raises(InputError, match="found more than 255 kinds in column 4"):
        read_marks(bed(tmp_path, *lines), genomes)
