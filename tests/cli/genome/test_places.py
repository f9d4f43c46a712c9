"""Regions by name: samtools' 1-based positions in, 0-based half-open out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.places import asked_regions, named_region


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Reference]:
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{'ACGT' * 500}\n>HLA:01:02\n{'ACGTA' * 4}\n>MT\nACGTACGT\n")
    with Reference.open(path) as reference:
        yield reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr1", ("chr1", 0, 2000)),
        ("1", ("1", 0, 2000)),
        ("chr1:1-1", ("chr1", 0, 1)),
        ("chr1:1,001-2,000", ("chr1", 1000, 2000)),
        ("1:5-9", ("1", 4, 9)),
        ("chrM:2-8", ("chrM", 1, 8)),
        ("HLA:01:02", ("HLA:01:02", 0, 20)),
        ("HLA:01:02:3-4", ("HLA:01:02", 2, 4)),
    ],
)
def test_names(reference: Reference, text: str, expected: tuple[str, int, int]) -> None:
    region = named_region(text, reference)
    assert (region.chrom, region.start, region.end) == expected


@pytest.mark.parametrize("text", ["chr1:0-5", "chr1:9-8", "chr1:1-2001", "chr1:2001-2001"])
def test_outside_the_contig(reference: Reference, text: str) -> None:
    with pytest.raises(InputError, match=f"region '{text}': chr1 has the bases 1-2,000; expected a contig"):
        named_region(text, reference)


@pytest.mark.parametrize(
    "text", ["chr2", "chr2:1-5", "chr1:100", "chr1:5-", "chr1:a-b", "chr1:-5-8", "", ":1-2"]
)
def test_no_such_name(reference: Reference, text: str) -> None:
    with pytest.raises(InputError, match=r"region '.*': .*g\.fa has no contig '.*'; expected a contig"):
        named_region(text, reference)


def test_named_then_a_bed_else_everything(reference: Reference, tmp_path: Path) -> None:
    bed = tmp_path / "r.bed"
    bed.write_text("chr1\t3\t9\nchr9\t0\t4\n")

    def asked(named: list[str], source: Path | None) -> list[tuple[str, int, int]]:
        found = asked_regions(reference, named, None if source is None else str(source))
        return [(region.chrom, region.start, region.end) for region in found]

    assert asked(["MT"], None) == [("MT", 0, 8)]
    assert asked(["MT"], bed) == [("MT", 0, 8), ("chr1", 3, 9), ("chr9", 0, 4)]
    assert asked([], bed) == [("chr1", 3, 9), ("chr9", 0, 4)]
    assert asked([], None) == [("chr1", 0, 2000), ("HLA:01:02", 0, 20), ("MT", 0, 8)]
