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
