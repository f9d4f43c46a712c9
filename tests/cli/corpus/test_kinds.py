"""Where a transcript has which kind, base by base, on both strands."""

import pytest

from janusdna_cli.corpus.kinds import Kind, stretches
from janusdna_cli.genome.transcripts import Transcript

LETTERS = {
    Kind.site: "g", Kind.splice: "s", Kind.coding: "C", Kind.untranslated: "u", Kind.promoter: "p",
    Kind.intron: "i",
}  # fmt: skip


def painted(transcript, length):
    found = ["."] * length
    for kind in sorted(LETTERS, reverse=True):
        for own, start, end in stretches(transcript):
            if own is kind:
                for at in range(max(start, 0), min(end, length)):
                    found[at] = LETTERS[kind]
    return "".join(found)


def test_each_kind_on_the_forward_strand():
    one = Transcript("t", "g", "c", "+", ((600, 650), (700, 750), (800, 860)), (620, 820))
    donor, acceptor = "sssggssss", 18 * "s" + "ggsss"
    assert painted(one, 900) == (
        100 * "." + 500 * "p" + 20 * "u" + 27 * "C"
        + donor + 24 * "p" + acceptor  # the intron's first 24 of what is left lie within 100 of the start
        + 44 * "C" + donor + 24 * "i" + acceptor + 17 * "C" + 40 * "u" + 40 * "."
    )  # fmt: skip


def test_each_kind_on_the_reverse_strand():
    one = Transcript("t", "g", "c", "-", ((100, 160), (210, 260), (310, 360)), (140, 340))
    # The same transcript, turned: 960 bases from the left are as many from the right.
    turned = Transcript("t", "g", "c", "+", ((600, 650), (700, 750), (800, 860)), (620, 820))
    assert painted(one, 960) == painted(turned, 960)[::-1]


@pytest.mark.parametrize(("intron", "sites"), [(25, 0), (26, 2)])
def test_an_intron_too_short_for_its_sites_has_none(intron, sites):
    one = Transcript("t", "g", "c", "+", ((10, 20), (20 + intron, 60)), None)
    assert sum(kind is Kind.splice for kind, _, _ in stretches(one)) == sites
    assert sum(kind is Kind.site for kind, _, _ in stretches(one)) == sites


def test_sites_do_not_reach_beyond_a_short_exon():
    one = Transcript("t", "g", "c", "+", ((100, 200), (300, 302), (400, 500)), None)
    assert [(start, end) for kind, start, end in stretches(one) if kind is Kind.splice] == [
        (197, 206), (280, 302), (300, 308), (380, 403),
    ]  # fmt: skip
