"""What the bundled model's corpus is made of: places by names, genes cut to slices, the same sequence."""

import random
from dataclasses import replace

import numpy as np
import pytest

from janusdna_cli.corpus.codes import encode, keys_of
from janusdna_cli.genome.genes import read_transcripts
from janusdna_cli.genome.transcripts import Transcript

K = 31


@pytest.fixture
def vertebrates(module):
    return module("vertebrates")


@pytest.mark.parametrize(
    ("contig", "length", "expected"),
    [
        ("GRCh38_chr1_101_200", 100, ("GRCh38_chr1", 100, 200)),
        ("GRCh37_chr1_1_1000000", 1_000_000, ("GRCh37_chr1", 0, 1_000_000)),
        ("NG_007107.2_1_122315", 122_315, ("NG_007107.2", 0, 122_315)),
        # Neither of these says where it was cut out.
        ("GRCh38_chr1_101_200", 99, ("GRCh38_chr1_101_200", 0, 99)),
        ("MHC_haplotype_DEU", 5, ("MHC_haplotype_DEU", 0, 5)),
    ],
)
def test_names_tell_where_contigs_come_from(module, contig, length, expected):
    found = module("slices").Slice.of(contig, length)
    assert found == module("slices").Slice(contig, *expected)


def test_a_transcript_is_cut_as_its_contig_is(vertebrates, module, tmp_path):
    exons = ((50, 120), (150, 180), (190, 260))
    whole = Transcript("NM_1", "GENE", "chr1", "-", exons, (110, 230))
    own = module("slices").Slice("GRCh38_chr1_101_200", "GRCh38_chr1", 100, 200)
    part = own.clipped(whole)
    assert part == Transcript("NM_1", "GENE", own.contig, "-", ((0, 20), (50, 80), (90, 100)), (10, 100))
    assert replace(own, start=120, end=150).clipped(whole) is None
    assert replace(own, start=0, end=100).clipped(whole).coding is None
    (tmp_path / "genes.txt").write_text(vertebrates.gene_pred(part))
    assert list(read_transcripts(str(tmp_path / "genes.txt"))) == [part]


def shared(sequence: str):
    return np.unique(keys_of(encode(sequence), K))


def test_the_same_region_of_another_individual_is_left_out(vertebrates):
    rng = random.Random(4)
    held_out = "".join(rng.choices("ACGT", k=20_000))
    other = list(held_out[5_000:9_000])
    for at in range(0, 4_000, 400):  # another individual
        other[at] = "ACGT"["TGCA".index(other[at])]
    flanks = ["".join(rng.choices("ACGT", k=6_000)) for _ in range(2)]
    sequence = flanks[0] + "".join(other) + flanks[1]
    turned = sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))
    for letters, first in ((sequence, 6_000), (turned, 6_000)):
        (before, after) = vertebrates.apart(letters.encode(), shared(held_out), K)
        assert before[0] == 0
        assert first - 1_024 <= before[1] <= first
        assert first + 4_000 <= after[0] <= first + 4_000 + 1_024
        assert after[1] == len(letters)


def test_other_sequence_stays_as_it_is(vertebrates):
    rng = random.Random(5)
    held_out, other = ("".join(rng.choices("ACGT", k=5_000)) for _ in range(2))
    assert list(vertebrates.apart(other.encode(), shared(held_out), K)) == [(0, 5_000)]
    assert list(vertebrates.apart(held_out.encode(), shared(held_out), K)) == []
    # A repeat of 300 bases that both have is no reason.
    repeat = held_out[:300]
    assert list(vertebrates.apart((other + repeat + other).encode(), shared(held_out), K)) == [(0, 10_300)]


def test_every_file_belongs_to_a_species(vertebrates):
    assert {name for name, _ in vertebrates.FILES} >= {"human", "mouse"}
