"""Alu elements and reading frames, against what a search letter by letter finds."""

import itertools
import random
import re

import numpy as np
import pytest

BASES = "ACGT"
# As NCBI writes the standard code: codons in the order T, C, A, G.
NCBI = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"


@pytest.fixture
def elements(module):
    return module("elements")


def some_bases(seed, length, letters=BASES):
    return "".join(random.Random(seed).choices(letters, k=length))


def complemented(sequence):
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def test_frames_lie_between_stops_and_are_longer_than_chance_explains(elements):
    coding = "".join(
        codon for codon in (some_bases(seed, 3) for seed in range(400)) if codon not in ("TAA", "TAG", "TGA")
    )[: 3 * 300]
    for reverse in (False, True):
        middle = "TAA" + (complemented(coding) if reverse else coding) + "TAA"
        sequence = some_bases(9, 1000) + middle + some_bases(10, 1001)
        (frame,) = elements.open_frames(elements.encode(sequence), 1e-4)
        found = sequence[frame.start : frame.end]
        found = complemented(found) if frame.reverse else found
        assert frame.reverse == reverse
        assert coding in found
        assert len(found) % 3 == 0
        assert not {"TAA", "TAG", "TGA"} & set(re.findall("...", found))
        share = {base: found.count(base) / len(found) for base in BASES}
        stop = share["T"] * share["A"] * (share["A"] + 2 * share["G"])
        assert frame.chance == pytest.approx((1 - stop) ** (len(found) / 3))
    assert elements.open_frames(elements.encode(some_bases(11, 5000)), 1e-4) == []


@pytest.mark.parametrize("reverse", [False, True])
def test_a_worn_alu_is_found_with_the_places_of_its_bases(elements, reverse):
    chance = random.Random(5)
    kept = [chance.random() >= 0.08 for _ in elements.ALU]
    pairs = zip(elements.ALU, kept, strict=True)
    worn = "".join(base if keep else chance.choice(BASES) for base, keep in pairs)
    worn = worn[:130] + worn[133:]  # a deletion
    before, after = some_bases(12, 500), some_bases(13, 400)
    sequence = before + (complemented(worn) if reverse else worn) + after
    (found,) = elements.alus(elements.encode(sequence))
    assert found.reverse == reverse
    assert 500 <= found.start < found.end <= 500 + len(worn)
    bases = sequence[found.start : found.end]
    there = "".join(elements.ALU[place] for place in found.places)
    there = there.translate(str.maketrans("ACGT", "TGCA")) if reverse else there
    assert np.mean([one == other for one, other in zip(bases, there, strict=True)]) > 0.85
    assert list(elements.alus(elements.encode(some_bases(14, 3000)))) == []


def test_what_substitutions_do_to_the_protein(module):
    biology = module("biology")
    amino = dict(zip(map("".join, itertools.product("TCAG", repeat=3)), NCBI, strict=True))
    codons = ["ATG", "TGG", "CTT", "TAT", "CGA"]
    codes = np.array([["ACGT".index(base) for base in codon] for codon in codons], np.uint8)
    # Each substitution has a number of its own in place of its llr.
    llr = np.arange(codes.size * 4, dtype=float).reshape(len(codons), 3, 4)
    wanted = {"synonymous": set(), "missense": set(), "stop": set()}
    for row, place, alt in itertools.product(range(len(codons)), range(3), range(4)):
        changed = codons[row][:place] + BASES[alt] + codons[row][place + 1 :]
        if changed != codons[row]:
            kind = "stop" if amino[changed] == "*" else "missense"
            kind = "synonymous" if amino[changed] == amino[codons[row]] else kind
            wanted[kind].add(llr[row, place, alt])
    found = {name: set() for name in wanted}
    for name, values in biology.effects(codes, llr):
        found[name] |= set(values)
    assert found == wanted
