"""The tables, against a painting base by base."""

import gzip
import json
import logging
import random
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from janusdna_cli import CorpusSettings, make_corpus
from janusdna_cli.corpus import pieces as pieces_module
from janusdna_cli.corpus.kinds import GENE_KINDS
from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.genes import read_transcripts

GENE_NAMES = {kind.name for kind in GENE_KINDS}


def some_bases(seed, length):
    return "".join(random.Random(seed).choices("ACGT", k=length))


def complemented(sequence):
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def row(name, contig, strand, exons, coding=None):
    starts, ends = (",".join(map(str, each)) + "," for each in zip(*exons, strict=True))
    first, last = coding or (exons[-1][1],) * 2
    columns = [name, contig, strand, exons[0][0], exons[-1][1], first, last, len(exons), starts, ends]
    return "\t".join(map(str, columns)) + "\n"


GENES = [
    row("A", "chr1", "+", [(2000, 2200), (2600, 2700), (3500, 3900)], (2100, 3600)),
    row("A2", "1", "+", [(2000, 2200), (3450, 3800)]),
    row("B", "chr1", "-", [(6100, 6400), (6600, 6900)], (6200, 6850)),
    row("C", "chr1", "-", [(300, 420)]),
]
ONE = some_bases(1, 9000)
HUMAN = {
    "chr1": ONE[:4500] + ONE[4500:4700].lower() + "N" * 150 + ONE[4850:5400] + "N" * 99 + ONE[5499:],
    "chr2": "N" * 100 + some_bases(2, 2000) + "n" * 200,
}
COW = {
    "chr1": some_bases(3, 1500) + ONE[3500:3600] + some_bases(4, 400) + complemented(ONE[2020:2120])
    + some_bases(5, 300) + "CA" * 20 + some_bases(6, 1000),
    "short": "ACGTA",
}  # fmt: skip


def fasta(path: Path, contigs: dict[str, str]) -> str:
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in contigs.items()))
    return str(path)


@pytest.fixture
def human(tmp_path):
    return fasta(tmp_path / "human.fa", HUMAN)


@pytest.fixture
def cow(tmp_path):
    return fasta(tmp_path / "cow.fa", COW)


@pytest.fixture
def genes(tmp_path):
    path = tmp_path / "genes.txt"
    path.write_text("".join(GENES))
    return str(path)


@pytest.fixture
def settings(human, cow, genes, tmp_path):
    def of(**changes):
        usual = {"fasta": (f"human={human}", f"cow={cow}"), "genes": (f"human={genes}",)}
        return CorpusSettings(**usual | {"output": str(tmp_path / "out"), "quiet": True} | changes)

    return of


def lines(folder, name):
    rows = [line.split("\t") for line in (Path(folder) / name).read_text().splitlines()]
    return [(contig, int(start), int(end), *rest) for contig, start, end, *rest in rows]


def by_base(rows):
    """What follows chrom, start and end, of each base; none is there twice."""
    found = {}
    for contig, start, end, *rest in rows:
        assert start < end
        for at in range(start, end):
            assert (contig, at) not in found
            found[contig, at] = tuple(rest)
    return found


def painted_human(genes):
    """The kind of each base of chr1 with genes, painted base by base."""
    kinds = dict.fromkeys(range(9000), "intergenic")
    transcripts = list(read_transcripts(genes))

    def paint(kind, bases):
        kinds.update({at: kind for at in bases if 0 <= at < 9000})

    for one in transcripts:
        paint("intron", range(one.start, one.end))
    paint("repeat", range(4500, 4700))
    for one in transcripts:
        first = one.first_base
        paint(
            "promoter",
            range(first - 500, first + 100) if one.strand == "+" else range(first - 99, first + 501),
        )
    for one in transcripts:
        for start, end in one.exons:
            paint("untranslated", range(start, end))
    for one in transcripts:
        for start, end in one.exons if one.coding else []:
            paint("coding", [at for at in range(start, end) if one.coding[0] <= at < one.coding[1]])
    for one in transcripts:
        for before, after in pairwise(one.exons):
            donor, acceptor = (3, 6), (20, 3)
            left, right = (donor, acceptor) if one.strand == "+" else (acceptor[::-1], donor[::-1])
            paint("splice", range(before[1] - left[0], before[1] + left[1]))
            paint("splice", range(after[0] - right[0], after[0] + right[1]))
    for one in transcripts:
        for start, end in one.introns:
            paint("site", (start, start + 1, end - 2, end - 1))
    return kinds


@pytest.mark.parametrize("size", [1 << 21, 1000, 137])
def test_kinds_and_weights_of_a_genome_with_genes(settings, genes, monkeypatch, size):
    monkeypatch.setattr(pieces_module, "_SIZE", size)
    told = {"loss_weights": {"repeat": 0.25, "coding": 4}, "gene_weight": 4, "hold_out": ("cow",)}
    folder = make_corpus(settings(flank=100, **told))
    wanted = painted_human(genes)
    there = [at for at in range(9000) if not 4700 <= at < 4850]
    weights = by_base(lines(folder, "weights.bed"))
    own = {at: rest for (contig, at), rest in weights.items() if contig == "human.chr1"}
    counts = {"repeat": "0.25", "coding": "4", "site": "50"}
    assert own == {at: (wanted[at], counts.get(wanted[at], "1")) for at in there}
    intervals = by_base(lines(folder, "intervals.bed"))
    assert intervals.keys() == weights.keys()
    for at in there:
        is_near = any(wanted.get(near) in GENE_NAMES for near in range(at - 100, at + 101))
        assert intervals["human.chr1", at][1] == ("4" if is_near else "1"), at


@pytest.mark.parametrize("size", [1 << 21, 500])
def test_a_genome_without_genes_has_what_is_like_exons(settings, monkeypatch, size):
    monkeypatch.setattr(pieces_module, "_SIZE", size)
    folder = make_corpus(settings(hold_out=("cow",)))
    kinds = {
        at: kind for (contig, at), (kind, _) in by_base(lines(folder, "weights.bed")).items()
        if contig == "cow.chr1"
    }  # fmt: skip
    assert set(kinds.values()) == {"conserved", "repeat", "unannotated"}
    conserved = {at for at, kind in kinds.items() if kind == "conserved"}
    inside = {*range(1500, 1600), *range(2000, 2100)}
    assert inside <= conserved
    assert len(conserved - inside) < 12
    tandem = {at for at, kind in kinds.items() if kind == "repeat"}
    assert set(range(2402, 2438)) <= tandem
    assert len(tandem) < 60
    # Without lower case in it, of the human one every contig without genes has them, too.
    assert any(contig == "human.chr2" for contig, _ in by_base(lines(folder, "weights.bed")))


def test_lines_that_touch_differ(settings):
    folder = make_corpus(settings())
    for name in ("intervals.bed", "weights.bed"):
        found = lines(folder, name)
        assert all(one[:1] + one[3:] != two[:1] + two[3:] for one, two in pairwise(found) if one[2] == two[1])
        assert all(one[2] <= two[1] for one, two in pairwise(found) if one[0] == two[0])
        assert list(dict.fromkeys(one[0] for one in found)) == [
            "human.chr1", "human.chr2", "cow.chr1", "cow.short",
        ]  # fmt: skip


def test_runs_of_n_are_left_out_from_100_on(settings):
    folder = make_corpus(settings())
    bases = by_base(lines(folder, "intervals.bed"))
    assert {at for contig, at in bases if contig == "human.chr2"} == set(range(100, 2100))
    assert ("human.chr1", 5450) in bases


@pytest.mark.parametrize("way", ["contigs", "share", "intervals"])
def test_splits(settings, tmp_path, way):
    bed = tmp_path / "splits.bed"
    bed.write_text(
        "human.chr1\t0\t5000\ttrain\nhuman.chr1\t4000\t6000\tvalid\nhuman.chr2\t0\t1000\ttest\n"
        "cow.chr1\t0\t9\ttrain\n"
    )
    options = {
        "contigs": {"valid_contigs": ("human.chr2",)},
        "share": {"valid_share": 0.2},
        "intervals": {"intervals": str(bed)},
    }[way]
    found = by_base(lines(make_corpus(settings(**options, hold_out=("cow",))), "intervals.bed"))
    split = {base: rest[0] for base, rest in found.items()}
    assert {split[base] for base in split if base[0].startswith("cow.")} == {"test"}
    assert sum(base[0].startswith("cow.") for base in split) == sum(map(len, COW.values()))
    human = {base: name for base, name in split.items() if base[0].startswith("human.")}
    if way == "contigs":
        assert all((name == "valid") == (base[0] == "human.chr2") for base, name in human.items())
    elif way == "share":
        share = sum(name == "valid" for name in human.values()) / len(human)
        assert share == pytest.approx(0.2, abs=0.05)
    else:
        assert {at for contig, at in human if contig == "human.chr2"} == set(range(100, 1000))
        wanted = {at: "valid" if at >= 4000 else "train" for at in range(6000) if not 4700 <= at < 4850}
        assert {at: name for (contig, at), name in human.items() if contig == "human.chr1"} == wanted


def test_bedtools_finds_both_tables_to_cover_the_same(settings):
    if shutil.which("bedtools") is None:
        pytest.skip("bedtools is not installed")
    folder = make_corpus(settings())
    covered = []
    for name in ("intervals.bed", "weights.bed"):
        command = ["bedtools", "merge", "-i", str(folder / name)]
        covered.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert covered[0] == covered[1]
    assert covered[0].splitlines()[:3] == [
        "human.chr1\t0\t4700", "human.chr1\t4850\t9000", "human.chr2\t100\t2100",
    ]  # fmt: skip


def test_the_summary_counts_what_the_tables_say(settings):
    folder = make_corpus(settings(valid_share=0.2, gene_weight=7))
    found = json.loads((folder / "corpus.json").read_text())
    intervals, weights = (by_base(lines(folder, name)) for name in ("intervals.bed", "weights.bed"))
    assert found["kind"] == "janusdna corpus"
    assert [(one["genome"], one["split"]) for one in found["contents"]] == [
        ("human", "train"), ("cow", "train"), ("human", "valid"), ("cow", "valid"),
    ]  # fmt: skip
    for one in found["contents"]:
        split = {base: float(rest[1]) for base, rest in intervals.items() if rest[0] == one["split"]}
        own = {base: read for base, read in split.items() if base[0].startswith(one["genome"] + ".")}
        assert one["bases"] == len(own)
        assert one["read_share"] == pytest.approx(sum(own.values()) / sum(split.values()))
        for kind, told in one["kinds"].items():
            members = [base for base in own if weights[base][0] == kind]
            assert told["bases"] == len(members)
            assert told["share"] == pytest.approx(len(members) / len(own))
            read = sum(own[base] for base in members) / sum(own.values())
            assert told["read_share"] == pytest.approx(read)
        assert sum(told["bases"] for told in one["kinds"].values()) == one["bases"]


def test_one_genome_without_a_name_as_gzip(human, genes, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packed = tmp_path / "packed.fa.gz"
    packed.write_bytes(gzip.compress(Path(human).read_bytes()))
    named = make_corpus(CorpusSettings(fasta=f"h={human}", genes=f"h={genes}", output=tmp_path / "named"))
    plain = make_corpus(CorpusSettings(fasta=packed, genes=genes, output=tmp_path / "plain"))
    for name in ("intervals.bed", "weights.bed"):
        assert (named / name).read_text() == "".join(
            f"h.{line}\n" for line in (plain / name).read_text().splitlines()
        )


def test_without_genes(cow, tmp_path):
    folder = make_corpus(CorpusSettings(fasta=cow, output=tmp_path / "out"))
    assert {rest[0] for rest in by_base(lines(folder, "weights.bed")).values()} == {"repeat", "unannotated"}
    assert {rest[1] for rest in by_base(lines(folder, "intervals.bed")).values()} == {"1"}


def test_transcripts_that_are_left_out_are_counted(settings, human, tmp_path, caplog):
    path = tmp_path / "more.txt"
    path.write_text(
        "".join(GENES) + row("D", "chr9", "+", [(1, 9)]) + row("E", "CHR1", "+", [(1, 9)])
        + row("F", "chr1", "+", [(8900, 9001)])
    )  # fmt: skip
    with caplog.at_level(logging.WARNING, "janusdna"):
        folder = make_corpus(settings(genes=(f"human={path}",)))
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        f"{path}: 1 of its 7 transcripts are left out: the genome human has no contig 'chr9'",
        f"{path}: 1 of its 7 transcripts reach outside of their contigs and are left out, the first is F on "
        "chr1:8900-9001, which has 9,000 bases: are the genes of this assembly?",
    ]
    assert by_base(lines(folder, "weights.bed"))["human.chr1", 8950] == ("intergenic", "1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"genes": ("{genes}",)},
            "--genes: found {genes} without its genome, expected NAME=FILE with a name",
        ),
        (
            {"genes": ("pig={genes}",)},
            "--genes: found a genome pig, expected NAME=FILE with a name that --fasta",
        ),
        ({"hold_out": ("pig",)}, "--hold-out: found 'pig', expected the name of a genome: cow, human"),
        ({"hold_out": ("cow", "human")}, "--hold-out: every genome is held out, none is left to train on"),
        ({"valid_contigs": ("chr8",)}, "has no contig 'chr8' to validate on, it has human.chr1"),
        ({"valid_contigs": ("cow.chr1",), "hold_out": ("cow",)}, "has no contig 'cow.chr1' to validate on"),
        ({"genes": ("human={cow}",)}, "found '>chr1', expected GTF, GFF3 or a genePred table"),
        (
            {"genes": ("cow={strange}",)},
            "none of its 1 transcripts lies on a contig of the genome cow: the genome ",
        ),
        ({"intervals": "{strange}"}, "line 1: "),
        ({"fasta": ("human={human}", "human={human}")}, "has a contig chr1, as {human} has"),
        ({"fasta": ("missing.fa",)}, "missing.fa: no such file"),
    ],
)
def test_what_is_wrong_is_told(settings, human, cow, genes, tmp_path, changes, said):
    strange = tmp_path / "strange.txt"
    strange.write_text(row("A", "chr77", "+", [(1, 9)]))
    names = {"human": human, "cow": cow, "genes": genes, "strange": str(strange)}
    filled = {
        name: value.format(**names) if isinstance(value, str) else tuple(one.format(**names) for one in value)
        for name, value in changes.items()
    }
    with pytest.raises((InputError, RecordError)) as caught:
        make_corpus(settings(**filled))
    assert said.format(**names) in str(caught.value)
    assert not list((tmp_path / "out").glob("*"))


def test_nothing_to_train_on(tmp_path):
    path = fasta(tmp_path / "n.fa", {"c": "N" * 500})
    with pytest.raises(InputError, match="found nothing to train on, expected A, C, G, T"):
        make_corpus(CorpusSettings(fasta=path, output=tmp_path / "out", quiet=True))
    assert not list((tmp_path / "out").glob("*"))


def test_tables_that_are_there_are_replaced_only_when_told(settings):
    folder = make_corpus(settings())
    before = (folder / "intervals.bed").read_text()
    with pytest.raises(InputError, match=r"intervals\.bed: exists; pass --overwrite"):
        make_corpus(settings(gene_weight=3))
    assert (folder / "intervals.bed").read_text() == before
    make_corpus(settings(gene_weight=3, overwrite=True))
    assert (folder / "intervals.bed").read_text() == before.replace("\t30\n", "\t3\n")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("valid_share", 1), ("valid_share", -0.1), ("gene_weight", 0), ("gene_weight", "3"), ("flank", -1),
        ("fasta", 3), ("genes", (3,)), ("fasta", ()),
        ("hold_out", 3), ("output", None),
    ],
)  # fmt: skip
def test_a_value_that_means_nothing(field, value):
    with pytest.raises(InputError, match=f"--{field.replace('_', '-')}: found "):
        CorpusSettings(**{"fasta": "g.fa", "output": "out", field: value})


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"exon": 2}, "--loss-weight: found a kind 'exon', expected site, splice, coding, "),
        ({"repeat": -1}, "--loss-weight repeat: found -1, expected 0 or more"),
        ({"repeat": float("inf")}, "--loss-weight repeat: found inf"),
        ({"repeat": "3"}, "--loss-weight repeat: found '3'"),
    ],
)
def test_a_loss_weight_that_means_nothing(weights, said):
    with pytest.raises(InputError) as error:
        CorpusSettings(fasta="g.fa", output="out", loss_weights=weights)
    assert str(error.value).startswith(said)


def test_the_command_takes_loss_weights(work, human, genes, tmp_path):
    words = ("corpus", "--fasta", human, "--genes", genes, "-o", tmp_path / "out")
    result = work.run(*words, "--loss-weight", "splice=8", "--loss-weight", "site=9.5")
    assert result.exit_code == 0, result.stderr
    told = {kind: weight for *_, kind, weight in lines(tmp_path / "out", "weights.bed")}
    assert (told["splice"], told["site"], told["repeat"], told["coding"]) == ("8", "9.5", "0.3", "1")
    result = work.run(*words, "--loss-weight", "splice")
    assert result.exit_code == 2
    assert "found 'splice', expected KIND=WEIGHT" in " ".join(result.stderr.replace("│", " ").split())


def test_two_ways_to_split_are_one_too_many():
    with pytest.raises(InputError, match="--intervals and --valid-contigs"):
        CorpusSettings(fasta="g.fa", output="out", intervals="a.bed", valid_contigs=("a",))


def test_the_command(work, human, cow, genes, tmp_path):
    options = ["--fasta", f"human={human}", "--fasta", f"cow={cow}", "--genes", f"human={genes}"]
    result = work.run("corpus", *options, "-o", tmp_path / "out", "--valid-contigs", "human.chr2, cow.short")
    assert result.exit_code == 0, result.stderr
    assert "human train: 8.85 kb" in result.stderr
    assert "cow valid: 5 bp" in result.stderr
    assert result.stdout == ""
