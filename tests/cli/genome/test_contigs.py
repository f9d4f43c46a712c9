import pytest

from janusdna_cli.genome.contigs import ContigNames


@pytest.mark.parametrize(
    ("fasta", "asked", "found"),
    [
        (["chr1", "chr2"], "chr1", "chr1"),
        (["chr1", "chr2"], "1", "chr1"),
        (["1", "2"], "chr2", "2"),
        (["1"], "Chr1", "1"),
        (["1"], "CHR1", "1"),
        (["chrM"], "MT", "chrM"),
        (["MT"], "chrM", "MT"),
        (["M"], "chrMT", "M"),
        (["chr17"], "NC_000017.10", "chr17"),
        (["NC_000017.11"], "17", "NC_000017.11"),
        (["X", "Y"], "NC_000023.11", "X"),
        (["X", "Y"], "NC_000024.10", "Y"),
        (["chrM"], "NC_012920.1", "chrM"),
        # Only a prefix is left out, never letters: strip("chr") would make these alike.
        (["chrchr1"], "1", None),
        (["1chr"], "1", None),
        (["hr1"], "chr1", None),
        (["1r"], "1", None),
        (["chr"], "", None),
        (["chr1"], "11", None),
        (["chr1"], "01", None),
        (["chr1"], "", None),
        # Another version of an accession is another sequence.
        (["NC_000017.11"], "NC_000017.11", "NC_000017.11"),
        (["NC_000017.11"], "NC_000017.10", None),
        (["NC_000017.10", "NC_000017.11"], "NC_000017.10", "NC_000017.10"),
        (["GL000192.1"], "GL000192.2", None),
        # The mouse's chromosome 1 is no human one.
        (["1"], "NC_000067.6", None),
    ],
)
def test_a_name_is_found_by_what_it_means(fasta: list[str], asked: str, found: str | None) -> None:
    assert ContigNames(fasta).find(asked) == found


def test_two_names_for_one_contig_are_found_only_exactly() -> None:
    names = ContigNames(["chrM", "MT", "chr1"])
    assert names.find("chrM") == "chrM"
    assert names.find("MT") == "MT"
    assert names.find("M") is None
    assert names.find("1") == "chr1"


@pytest.mark.parametrize(
    ("fasta", "asked", "alike"),
    [
        (["chr1", "chr2"], "chr01", "chr1"),
        (["chr01"], "chr1", "chr01"),
        (["chr01"], "1", "chr01"),
        (["chr1"], '"chr1"', "chr1"),
        (["1"], "'chr01'", "1"),
        (["1"], " 1", "1"),
        (["X"], "chrx", "X"),
        (["scaffold_7"], "Scaffold_7", "scaffold_7"),
        (["chrM", "MT"], "M", "chrM"),
        (["chr1"], "chr11", None),
        (["chr1"], "chr10", None),
        (["0"], "", None),
        (["0"], "00", "0"),
        # A number after a dot is a version in an accession only.
        (["utg.1"], "utg.2", None),
        (["chr1.1"], "chr1.2", None),
    ],
)
def test_a_name_that_is_not_found_may_be_like_one(fasta: list[str], asked: str, alike: str | None) -> None:
    names = ContigNames(fasta)
    assert names.find(asked) is None
    expected = None if alike is None else f"but {alike!r} is: write names the same way in both files"
    assert names.hint(asked) == expected


@pytest.mark.parametrize(
    ("there", "asked"),
    [("NC_000017.11", "NC_000017.10"), ("CM000679.2", "CM000679.1"), ("NW_003315925.1", "NW_003315925.12")],
)
def test_another_version_is_said_to_be_another_sequence(there: str, asked: str) -> None:
    names = ContigNames([there, "x"])
    assert names.find(asked) is None
    assert names.hint(asked) == (
        f"but {there!r} is: another version is another sequence, take the FASTA of that version"
    )
