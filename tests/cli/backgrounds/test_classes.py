"""Classes of alleles against brute force over strings: every way in which an allele can be written."""

import random

import pytest

from janusdna_cli.backgrounds.classes import all_classes, allele_class, length_bins, name_of_length, unit_of
from janusdna_cli.genome.alleles import normalise, resolve
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.variant import Variant

LONGEST = 12


def smallest_unit(bases):
    return next(
        n for n in range(1, len(bases) + 1) if len(bases) % n == 0 and bases == bases[:n] * (len(bases) // n)
    )


def is_of_a_repeat(longer, shorter):
    """Whether, wherever the bases can be cut out that make one of the other, their unit stands beside."""
    size = len(longer) - len(shorter)
    places = [at for at in range(len(shorter) + 1) if longer[:at] + longer[at + size :] == shorter]
    unit = smallest_unit(longer[places[0] : places[0] + size])
    return any(longer[at : at + unit] == longer[at + size : at + size + unit] for at in places)


def size_name(size):
    return next(n for n in ["1", "2", "3", "4", "5-8", "9-16"] if size <= int(n.split("-")[-1]))


def expected(contig, start, ref, alt, complement):
    """The class of an allele that is normalised but for its place."""
    if len(ref) == len(alt) == 1:
        after, before = contig[start : start + 2], contig[max(0, start - 1) : start + 1]
        pair = f"{ref}>{alt}" if ref in "AC" else f"{complement(ref)}>{complement(alt)}"
        return f"SNV:{pair}" + (":CpG" if "CG" in (after, before) else "")
    if len(ref) == len(alt):
        return f"MNV:{size_name(sum(a != b for a, b in zip(ref, alt, strict=True)))}"
    size = size_name(max(len(ref), len(alt)))
    if ref and alt:
        return f"{'shortening' if len(ref) > len(alt) else 'lengthening'}:{size}"
    changed = contig[:start] + alt + contig[start + len(ref) :]
    repeat = is_of_a_repeat(contig, changed) if ref else is_of_a_repeat(changed, contig)
    return f"{'deletion' if ref else 'insertion'}:{size}{':repeat' if repeat else ''}"


def drawn(rng, contig):
    """Some allele whose ends differ: nothing can be trimmed of it."""
    while True:
        start = rng.randrange(len(contig) - LONGEST)
        ref = contig[start : start + rng.choice([0, 0, 1, 1, 2, 3, rng.randint(0, LONGEST)])]
        beside = contig[start : start + rng.randint(1, LONGEST)]
        alt = rng.choice(["", beside, "".join(rng.choices("ACG", k=rng.randint(0, LONGEST)))])
        if ref == alt or (ref and alt and (ref[0] == alt[0] or ref[-1] == alt[-1])):
            continue
        return start, ref, alt


@pytest.fixture
def contig():
    rng = random.Random(3)
    return "".join(rng.choice(["CA", "CACACA", "AAAAA", "CG", "GATTACA", "TTC", "G"]) for _ in range(60))


@pytest.fixture
def reference(work, contig, revcomp):
    with Reference.open(work.fasta(c=contig, other=revcomp(contig))) as opened:
        yield opened


def test_every_class_against_brute_force_and_on_the_other_strand(contig, reference, revcomp):
    rng, seen = random.Random(4), set()
    for _ in range(3000):
        start, ref, alt = drawn(rng, contig)
        wanted = expected(contig, start, ref, alt, revcomp)
        allele = normalise(reference, "c", start, ref.encode(), alt.encode())
        assert allele_class(allele, reference) == wanted, (start, ref, alt)
        mirrored = len(contig) - start - len(ref), revcomp(ref).encode(), revcomp(alt).encode()
        assert allele_class(normalise(reference, "other", *mirrored), reference) == wanted
        seen.add(wanted)
    names = {name for names in all_classes(LONGEST).values() for name in names}
    assert seen <= names
    assert len(names - seen) <= 3, names - seen


def test_a_class_does_not_depend_on_how_a_record_was_written(contig, reference):
    rng = random.Random(5)
    for _ in range(300):
        start, ref, alt = drawn(rng, contig)
        found = set()
        for _ in range(6):
            before, after = max(0, start - rng.randrange(1, 20)), start + len(ref) + rng.randrange(20)
            left, right = contig[before:start], contig[start + len(ref) : after]
            record = Variant("c", before + 1, None, left + ref + right, (left + alt + right,))
            if record.ref and record.alts[0]:
                found.add(allele_class(resolve(reference, record, record.alts[0]), reference))
        assert len(found) == 1, (start, ref, alt)


def test_what_changes_nothing_has_no_class(reference):
    assert allele_class(normalise(reference, "c", 5, b"", b""), reference) is None


def test_lengths_by_powers_of_two():
    assert list(length_bins(20)) == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 8), (9, 16), (17, 20)]
    assert [name_of_length(n) for n in (1, 4, 5, 8, 9, 17, 256, 257)] == [
        "1", "4", "5-8", "5-8", "9-16", "17-32", "129-256", "257-512",
    ]  # fmt: skip
    for first, last in length_bins(4096):
        assert {name_of_length(n) for n in range(first, last + 1)} == {name_of_length(first)}


@pytest.mark.parametrize(
    ("bases", "unit"), [(b"A", b"A"), (b"AAA", b"A"), (b"CACA", b"CA"), (b"CACAC", b"CACAC")]
)
def test_the_unit_of_bases(bases, unit):
    assert unit_of(bases) == unit
