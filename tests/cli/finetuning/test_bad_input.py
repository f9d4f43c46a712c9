"""What cannot be learned from is told in a line; what can but should be known is said and counted."""

from pathlib import Path

import pytest

from .conftest import report, words

BASES = "ACGTACGTACGTACGTACGT"
BAD = {
    "no such column": ("sequence\ty\nACGT\t1\n", {}, "--label label: no such column, found sequence, y"),
    "one class": (
        "sequence\tlabel\n" + f"{BASES}\t1\n" * 9,
        {},
        "all labels are '1', expected two classes or more",
    ),
    "absent from train": (
        "sequence\tlabel\tpart\n"
        + f"{BASES}\ta\ttrain\n{BASES}\tb\ttrain\n{BASES}\tc\ttest\n{BASES}\ta\tvalid\n",
        {"split": "part"},
        "the class 'c' is in none of the sequences to train on",
    ),
    "nan": ("sequence\tlabel\n" + f"{BASES}\t1\n{BASES}\tnan\n", {}, "row 2: the label is missing"),
    "letters": ("sequence\tlabel\n" + f"{BASES}\t1\nACG?ACG\t0\n", {}, "row 2: "),
    "empty": ("sequence\tlabel\n" + f"{BASES}\t1\n\t0\n", {}, "row 2: the sequence is empty; remove it"),
    "ids": (
        "id\tsequence\tlabel\n" + f"a\t{BASES}\t1\na\t{BASES}\t0\n",
        {},
        "row 2: the id 'a' is that of row 1, too; give each its own",
    ),
    "long": (
        "sequence\tlabel\n" + f"{BASES}\t1\n{'A' * 1_048_577}\t0\n",
        {},
        "row 2: the sequence has 1,048,577 bases",
    ),
    "not a number": (
        "sequence\tlabel\n" + f"{BASES}\t1.5\n{BASES}\tx\n",
        {"task": "regression"},
        "row 2: the label is 'x', expected a finite number",
    ),
    "leak": (
        "sequence\tlabel\tpart\n"
        + "ACGGT\ta\ttrain\nACCCC\tb\ttrain\nACCGT\ta\tvalid\nGGGGT\tb\ttest\nTTTTG\ta\ttest\n",
        {"split": "part", "strict": True},
        "sequences of valid that are in train, too, on either strand: 1; remove them, or leave --strict out",
    ),
    "a metric of others": (
        "sequence\tlabel\n" + f"{BASES}\t1\n{BASES}\t0\n" * 5,
        {"metric": "r2"},
        "--metric r2: the labels are binary, expected accuracy or mcc",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_before_any_training(place: Path, work, case) -> None:
    text, options, said = BAD[case]
    path = work.file("bad.tsv", text)
    chosen = {"input": path, "split": None} | options
    result = work.run(*words(place, str(work.folder / "run"), **chosen))
    assert result.exit_code == 1, result.output
    [line] = [line for line in result.stderr.splitlines() if "error" in line]
    assert said in line
    assert "bad.tsv" in line or "--metric" in line
    assert not (work.folder / "run").exists()


def test_sequences_of_two_bases_are_left_out_and_counted(place: Path, work) -> None:
    """GenomicBenchmarks has some."""
    rows = (place / "x.tsv").read_text() + "t1\tAC\t0\tchr1\ttrain\nt2\tGT\t1\tchr1\ttest\n"
    path = work.file("short.tsv", rows)
    options = {"input": path, "epochs": 1, "baselines": "none"}
    result = work.run(*words(place, str(work.folder / "run"), **options))
    assert result.exit_code == 0, result.output
    assert "short.tsv: rows that are left out as too_short: 2" in result.stderr
    assert report(work.folder / "run")["passed_over"] == {"too_short": 2}
    assert report(work.folder / "run")["sequences"] == {"seed-1": {"train": 96, "valid": 12, "test": 12}}


def test_what_two_parts_share_is_said(place: Path, work) -> None:
    text, _, _ = BAD["leak"]
    result = work.run(
        *words(place, str(work.folder / "run"), input=work.file("l.tsv", text), split="part", epochs=1)
    )
    assert result.exit_code == 0, result.output
    assert (
        "sequences of valid that are in train, too, on either strand: 1; what is found there is too good"
        in result.stderr
    )
    assert report(work.folder / "run")["shared"] == {"train and valid": 1, "train and test": 1}
