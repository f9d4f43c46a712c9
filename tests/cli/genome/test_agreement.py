"""What is said of names and lengths on which a file and a FASTA do not agree."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from janusdna_cli.genome.agreement import NamesSeen, warn_of_lengths
from janusdna_cli.genome.fasta import Reference


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reference]:
    monkeypatch.chdir(tmp_path)
    Path("g.fa").write_text(">chr1\nACGTACGT\n>chr02\nACGTA\n>chrM\nACG\n>NC_000017.11\nACGTAC\n")
    with Reference.open("g.fa") as opened:
        yield opened


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    return [record.getMessage() for record in caplog.records]


KNOWN = ["1", "chr1", "MT", "17", "chr02"]
VERSION = "another version is another sequence, take the FASTA of that version"
REWRITE = "write names the same way in both files"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], None),
        (KNOWN, None),
        # A few that nobody knows are told by their status.
        ([*KNOWN, "HLA-A", "chr2_alt"], None),
        (["HLA-A", "x"], "2 of its 2 {}: 'HLA-A' is not in it, it has names like 'chr1', 'chr02', 'chrM'"),
        (["x"] * 1500, "1,500 of its 1,500 {}: 'x' is not in it, it has names like 'chr1', 'chr02', 'chrM'"),
        # A few that were meant to be known are told, by the first of them.
        ([*KNOWN, "x", "2", "2"], f"3 of its 8 {{}}: '2' is not in it, but 'chr02' is: {REWRITE}"),
        (["x", "chr01", "2"], f"3 of its 3 {{}}: 'chr01' is not in it, but 'chr1' is: {REWRITE}"),
        (['"chr1"'], f"1 of its 1 {{}}: '\"chr1\"' is not in it, but 'chr1' is: {REWRITE}"),
        (["NC_000017.10"], f"1 of its 1 {{}}: 'NC_000017.10' is not in it, but 'NC_000017.11' is: {VERSION}"),
    ],
)
def test_names_that_are_not_known_are_one_warning(
    reference: Reference, caplog: pytest.LogCaptureFixture, names: list[str], expected: str | None
) -> None:
    seen = NamesSeen("r.bed", "regions", reference)
    for name in names:
        seen.add(name)
    assert not caplog.records
    seen.warn()
    lie = "regions lie on no contig of g.fa"
    assert said(caplog) == ([] if expected is None else [f"r.bed: {expected.format(lie)}"])


def test_many_of_a_name_are_noted_at_once(reference: Reference, caplog: pytest.LogCaptureFixture) -> None:
    for counted in (True, False):
        seen = NamesSeen("r.bed", "regions", reference)
        for name, count in {"chr1": 70_000, "2": 1_500, "x": 1}.items():
            for _ in range(1 if counted else count):
                seen.add(name, count if counted else 1)
        seen.warn()
    at_once, one_by_one = said(caplog)
    assert at_once == one_by_one
    assert at_once.startswith("r.bed: 1,501 of its 71,501 regions lie on no contig of g.fa: '2' is not in it")


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, None),
        ({"chr1": 8, "MT": 3, "17": 6}, None),
        # Of what the FASTA does not have nothing is known; what a tool did not know says nothing.
        ({"HLA-A": 1, "chr1": 0, "chrM": 2_147_483_647, "17": 2_147_483_645}, None),
        ({"1": 8, "MT": 4}, "MT has 4 bases by its header and 3 in g.fa"),
        (
            {"1": 249_250_621, "M": 3, "17": 5},
            "1 has 249,250,621 bases by its header and 8 in g.fa (and 1 more differ)",
        ),
        ({"1": 7, "M": 2, "17": 5}, "1 has 7 bases by its header and 8 in g.fa (and 2 more differ)"),
    ],
)
def test_lengths_that_differ_are_one_warning(
    reference: Reference, caplog: pytest.LogCaptureFixture, declared: dict[str, int], expected: str | None
) -> None:
    warn_of_lengths("v.vcf", declared, reference)
    question = "was it called on another assembly?"
    assert said(caplog) == ([] if expected is None else [f"v.vcf: {expected}: {question}"])
