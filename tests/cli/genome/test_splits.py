"""What is trained on and what is held out: bedtools and counting base by base as the other opinion."""

import gzip
import itertools
import logging
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.genome.splits import (
    SPLITS,
    Interval,
    Splits,
    hold_out_blocks,
    hold_out_contigs,
    read_splits,
    write_splits,
)

LENGTHS = {"chr1": 1_000, "chr2": 500, "chrM": 160}
LINES = ["chr1\t0\t400\ttrain", "2\t100\t500\tvalid", "chr1\t400\t700\ttest", "MT\t0\t160\ttrain"]
READ = {
    "train": [Interval("chr1", 0, 400), Interval("chrM", 0, 160)],
    "valid": [Interval("chr2", 100, 500)],
    "test": [Interval("chr1", 400, 700)],
}


def bed(tmp_path: Path, *lines: str, end: str = "\n") -> str:
    path = tmp_path / "splits.bed"
    path.write_bytes("".join(line + end for line in lines).encode())
    return str(path)


@pytest.mark.parametrize(
    "way", ["plain", "crlf", "header", "comments", "gzip", "more columns", "no last end"]
)
def test_every_writing_of_a_bed_is_read_in_its_order(tmp_path: Path, way: str) -> None:
    lines = {
        "header": ["chrom\tstart\tend\tsplit", *LINES],
        "comments": ["# of the paper", 'track name="x"', "", *LINES, ""],
        "more columns": [f"{line}\t.\t+" for line in LINES],
    }.get(way, LINES)
    path = bed(tmp_path, *lines, end="\r\n" if way == "crlf" else "\n")
    if way == "gzip":
        Path(path).write_bytes(gzip.compress(Path(path).read_bytes()))
    if way == "no last end":
        Path(path).write_bytes(Path(path).read_bytes().rstrip())
    assert read_splits(path, LENGTHS, "g.fa") == READ


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("chr1\t0\t400\tvalidation", "found 'validation' in column 4, expected train, valid or test"),
        ("chr1\t0\t400\tTrain", "found 'Train' in column 4, expected train, valid or test"),
        ("chr1\t0\t400", "found no column 4, expected train, valid or test"),
        (
            "chr7\t0\t400\ttrain",
            "chr7 is no contig of g.fa; the intervals are probably of another assembly than g.fa",
        ),
        (
            "chr01\t0\t400\ttrain",
            "chr01 is no contig of g.fa, but 'chr1' is: write names the same way in both files",
        ),
        (
            "2\t100\t501\ttrain",
            "2:100-501 reaches outside the contig's 500 bases; "
            "the intervals are probably of another assembly than g.fa",
        ),
        ("chr1\tx\t400\ttrain", "start is 'x', expected an integer like 12345 (0-based)"),
        ("chr1\t400\t300\ttrain", "end 300 lies before start 400; swap them or remove the line"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = bed(tmp_path, "# first", *LINES, line)
    with pytest.raises(RecordError) as caught:
        read_splits(path, LENGTHS, "g.fa")
    assert str(caught.value) == f"{path}: line 6: {problem}"


def test_the_whole_of_a_contig_is_within_it(tmp_path: Path) -> None:
    found = read_splits(bed(tmp_path, "chr2\t0\t500\ttrain"), LENGTHS, "g.fa")
    assert found == {"train": [Interval("chr2", 0, 500)], "valid": [], "test": []}


@pytest.mark.parametrize("lines", [[], ["# nothing"], ["chrom\tstart\tend\tsplit"]])
def test_a_file_without_intervals(tmp_path: Path, lines: list[str]) -> None:
    path = bed(tmp_path, *lines)
    with pytest.raises(InputError) as caught:
        read_splits(path, LENGTHS, "g.fa")
    assert (
        str(caught.value) == f"{path}: holds no interval, expected BED with train, valid or test in column 4"
    )


def test_stdin_is_named_as_elsewhere() -> None:
    code = "from janusdna_cli.genome.splits import read_splits; read_splits('-', {'a': 9}, 'g.fa')"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, input="b\t0\t1\ttrain\n", capture_output=True, text=True)
    assert run.stderr.splitlines()[-1].endswith(
        "RecordError: stdin: line 1: b is no contig of g.fa; "
        "the intervals are probably of another assembly than g.fa"
    )


def covered(intervals: list[Interval]) -> set[tuple[str, int]]:
    return {(one.contig, at) for one in intervals for at in range(one.start, one.end)}


def random_splits(seed: int) -> Splits:
    """Intervals of any order, some of no bases, that overlap within and between splits, and touch."""
    rng = random.Random(seed)
    found: Splits = {name: [] for name in SPLITS}
    for _ in range(rng.randrange(1, 25)):
        contig, length = rng.choice(list(LENGTHS.items()))
        start, end = sorted(rng.randrange(0, length + 1, 20) for _ in range(2))
        found[rng.choice(SPLITS)].append(Interval(contig, start, end))
    return found


def overlaps_warned(splits: Splits, path: Path, caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    write_splits(splits, path)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "janusdna"):
        read_splits(str(path), LENGTHS, "g.fa")
    told = {}
    for record in caplog.records:
        bases, rest = record.getMessage().removeprefix(f"{path}: ").split(" ", 1)
        name = rest.removeprefix("bases are both train and ").removesuffix(
            ": what is measured on them says little"
        )
        told[name] = int(bases.replace(",", ""))
    return told


def test_bases_both_trained_on_and_held_out_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen = set()
    for seed in range(40):
        splits = random_splits(seed)
        train = covered(splits["train"])
        shared = {name: len(train & covered(splits[name])) for name in ("valid", "test")}
        if not any(splits.values()):
            continue
        expected = {name: bases for name, bases in shared.items() if bases}
        assert overlaps_warned(splits, tmp_path / "splits.bed", caplog) == expected
        seen.add(len(expected))
    assert seen == {0, 1, 2}


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_the_overlap_is_that_of_bedtools(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def bedtools(*arguments: str) -> list[list[str]]:
        run = subprocess.run(["bedtools", *arguments], capture_output=True, text=True, check=True)
        return [line.split("\t") for line in run.stdout.splitlines()]

    for seed in (3, 5, 8):
        splits = {
            name: [one for one in intervals if len(one)] for name, intervals in random_splits(seed).items()
        }
        expected = {}
        for name in SPLITS:
            lines = sorted((one.contig, one.start, one.end) for one in splits[name])
            (tmp_path / name).write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
            merged = "".join("\t".join(line) + "\n" for line in bedtools("merge", "-i", str(tmp_path / name)))
            (tmp_path / name).write_text(merged)
        for name in ("valid", "test"):
            shared = bedtools("intersect", "-a", str(tmp_path / "train"), "-b", str(tmp_path / name))
            if bases := sum(int(end) - int(start) for _, start, end in shared):
                expected[name] = bases
        assert expected
        assert overlaps_warned(splits, tmp_path / "splits.bed", caplog) == expected


def test_touching_is_no_overlap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    splits = {
        "train": [Interval("chr1", 0, 10)],
        "valid": [Interval("chr1", 10, 20), Interval("chr2", 0, 10)],
    }
    assert overlaps_warned(splits, tmp_path / "splits.bed", caplog) == {}


@pytest.mark.parametrize("valid", [("chr2",), ("2",), ("MT", "chr2"), ("chr2", "2")])
def test_contigs_held_out(valid: tuple[str, ...]) -> None:
    held = {"2": "chr2", "MT": "chrM"}
    names = {held.get(name, name) for name in valid}
    found = hold_out_contigs(LENGTHS, valid, "g.fa")
    assert found["valid"] == [Interval(name, 0, LENGTHS[name]) for name in LENGTHS if name in names]
    assert found["train"] == [Interval(name, 0, LENGTHS[name]) for name in LENGTHS if name not in names]
    assert found["test"] == []


def test_a_contig_that_is_not_there() -> None:
    with pytest.raises(InputError) as caught:
        hold_out_contigs(LENGTHS, ("chr2", "chr9"), "g.fa")
    expected = "g.fa: has no contig 'chr9' to validate on, it has chr1, chr2, chrM"
    assert str(caught.value) == expected
    many = {f"s{number}": 10 for number in range(9)}
    with pytest.raises(InputError, match=r"it has s0, s1, s2, s3, s4, \.\.\.$"):
        hold_out_contigs(many, ("x",), "g.fa")


def test_no_contig_left_to_train_on() -> None:
    with pytest.raises(InputError, match=r"^g\.fa: every contig is held out for validation, none is left"):
        hold_out_contigs(LENGTHS, ("1", "2", "M"), "g.fa")


def scaffolds(total: int, seed: int) -> dict[str, int]:
    """Contigs from long ones to dust, together about `total`."""
    rng = random.Random(seed)
    lengths: dict[str, int] = {}
    while sum(lengths.values()) < total:
        lengths[f"s{len(lengths)}"] = 1 + int(total * rng.random() ** 6 / 3)
    return lengths


HUMAN = {f"chr{number}": 250_000_000 - 9_876_543 * number for number in range(1, 24)}
GENOMES = [
    ({"lambda": 48_502}, 1_024),
    ({"a": 40 * 64}, 64),
    ({"a": 40 * 64 + 63}, 64),
    ({"a": 39 * 64}, 64),
    ({"a": 10 * 64}, 64),
    ({"a": 4_641_652}, 1_024),
    ({"a": 4_641_652}, 131_072),
    (HUMAN, 1_024),
    (HUMAN, 131_072),
    (HUMAN, 1_000),
    # Tails only would be held out, were blocks counted and not bases.
    ({f"s{number}": 191 * 1_024 for number in range(40)}, 1_024),
    ({f"s{number}": (19 << 20) + 2_000 for number in range(40)}, 1_024),
    (scaffolds(30_000_000, 1), 1_024),
    (scaffolds(900_000, 2), 512),
]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.1, 0.29, 0.5, 0.9])
@pytest.mark.parametrize(("lengths", "window"), GENOMES)
def test_blocks_held_out(lengths: dict[str, int], window: int, share: float) -> None:
    found = hold_out_blocks(lengths, window, share)
    assert found["test"] == []
    longest = max(len(block) for name in SPLITS for block in found[name])
    assert longest <= max(window, 1 << 20)
    assert longest <= max(window, sum(lengths.values()) / 40)
    at = dict.fromkeys(lengths, 0)
    everything = sorted(found["train"] + found["valid"], key=lambda block: (block.contig, block.start))
    for block in everything:
        # One after another from the start of each contig: disjoint, and nothing between them.
        assert block.start == at[block.contig]
        assert block.end - block.start >= window
        at[block.contig] = block.end
    assert all(0 <= lengths[contig] - end < window for contig, end in at.items())
    blocks = sum(map(len, everything))
    held = sum(map(len, found["valid"]))
    assert abs(held - share * blocks) <= longest


@pytest.mark.parametrize(("lengths", "window"), [({"a": 48_502}, 1_024), ({"a": 640}, 64), (HUMAN, 1_024)])
def test_a_twentieth_of_ten_windows_and_more_is_some(lengths: dict[str, int], window: int) -> None:
    assert hold_out_blocks(lengths, window, 0.05)["valid"]


def test_blocks_of_48_502_bases_by_hand() -> None:
    # 47 windows of 1,024; half a block is due after the 10th, then one more at every 20th.
    found = hold_out_blocks({"lambda": 48_502}, 1_024, 0.05)
    assert found["valid"] == [Interval("lambda", 1_024 * at, 1_024 * (at + 1)) for at in (9, 29)]


def test_blocks_are_spread_over_the_genome() -> None:
    starts, offset = [], 0
    for contig, length in HUMAN.items():
        starts += [
            offset + one.start for one in hold_out_blocks(HUMAN, 1_024, 0.05)["valid"] if one.contig == contig
        ]
        offset += length
    apart = [after - before for before, after in itertools.pairwise(starts)]
    assert min(apart) > 19 << 20
    assert max(apart) < 22 << 20


def test_blocks_depend_on_the_lengths_and_nothing_else() -> None:
    first = hold_out_blocks(HUMAN, 1_024, 0.05)
    renamed = hold_out_blocks({name.upper(): length for name, length in HUMAN.items()}, 1_024, 0.05)
    for name in SPLITS:
        assert [(one.contig.upper(), one.start, one.end) for one in first[name]] == [
            (one.contig, one.start, one.end) for one in renamed[name]
        ]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "intervals.bed"
    for splits, lengths in (
        (READ, LENGTHS),
        (hold_out_blocks(HUMAN, 131_072, 0.05), HUMAN),
        (hold_out_contigs(LENGTHS, ("chr2",), "g.fa"), LENGTHS),
    ):
        write_splits(splits, path)
        assert read_splits(str(path), lengths, "g.fa") == splits
    write_splits({"valid": [Interval("chr1", 5, 6)]}, path)
    assert path.read_text() == "chr1\t5\t6\tvalid\n"


def test_the_fifth_column_is_a_weight(tmp_path: Path) -> None:
    lines = ["chr1\t0\t10\ttrain\t2.5", "chr1\t10\t20\ttrain\t.", "chr2\t0\t5\tvalid", "chr2\t5\t9\ttrain\t0"]
    found = read_splits(bed(tmp_path, *lines), LENGTHS, "g.fa")
    assert [one.weight for one in found["train"]] == [2.5, 1.0, 0.0]
    path = tmp_path / "again.bed"
    write_splits(found, path)
    assert read_splits(str(path), LENGTHS, "g.fa") == found


@pytest.mark.parametrize("weight", ["-1", "heavy", "nan", "inf", ""])
def test_a_weight_that_is_none(tmp_path: Path, weight: str) -> None:
    path = bed(tmp_path, "chr1\t0\t10\ttrain\t1", f"chr1\t10\t20\ttrain\t{weight}")
    with pytest.raises(RecordError) as caught:
        read_splits(path, LENGTHS, "g.fa")
    expected = f"{path}: line 2: found {weight!r} in column 5, expected a weight, a number of 0 or more"
    assert str(caught.value) == expected


def test_scores_of_0_throughout_are_no_weights(tmp_path: Path) -> None:
    path = bed(tmp_path, *(f"{line}\t0\t+" for line in LINES))
    with pytest.raises(InputError, match="column 5 is 0 in every interval to train on"):
        read_splits(path, LENGTHS, "g.fa")


@pytest.mark.parametrize(("written", "there"), [("chr9", "human.chr9"), ("human.chr9", "chr9")])
def test_a_contig_without_the_name_of_its_genome(tmp_path: Path, written: str, there: str) -> None:
    path = bed(tmp_path, f"{written}\t0\t10\ttrain")
    with pytest.raises(RecordError) as caught:
        read_splits(path, {there: 100}, "g.fa")
    expected = (
        f"{written} is no contig of g.fa, it is called {there} there: --fasta NAME=FASTA puts NAME before it"
    )
    assert str(caught.value) == f"{path}: line 1: {expected}"
