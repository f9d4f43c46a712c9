from collections.abc import Iterator

import pytest

from janusdna_cli.genome.alleles import Allele
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.haplotypes import haplotype
from janusdna_cli.genome.windows import Window


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    path = tmp_path_factory.mktemp("genome") / "x.fa"
    path.write_text(">c\nACGTacgtNN\n")
    with Reference.open(path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("start", "ref", "alt", "expected"),
    [
        (4, b"A", b"G", b"GTGCGT"),
        (4, b"AC", b"", b"GTGT"),
        (4, b"", b"TTT", b"GTTTTACGT"),
        (4, b"ACG", b"CA", b"GTCAT"),
        (4, b"", b"", b"GTACGT"),
        # At the window's ends.
        (2, b"", b"C", b"CGTACGT"),
        (8, b"", b"C", b"GTACGTC"),
        (2, b"GTACGT", b"", b""),
    ],
)
def test_a_window_with_an_allele(
    reference: Reference, start: int, ref: bytes, alt: bytes, expected: bytes
) -> None:
    window = Window("c", 2, 8)
    assert haplotype(reference, window, Allele("c", start, ref, alt)) == expected
    assert len(expected) == len(window) + len(alt) - len(ref)


@pytest.mark.parametrize(
    "allele", [Allele("c", 1, b"CG", b""), Allele("c", 7, b"TN", b""), Allele("d", 4, b"", b"A")]
)
def test_an_allele_outside_its_window_is_refused(reference: Reference, allele: Allele) -> None:
    with pytest.raises(ValueError, match="does not lie within"):
        haplotype(reference, Window("c", 2, 8), allele)
