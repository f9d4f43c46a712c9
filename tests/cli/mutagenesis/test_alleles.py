"""Rows of bases as arrays, against the same written down base by base."""

import numpy as np
import pytest

from janusdna_cli.genome.alleles import Allele
from janusdna_cli.mutagenesis.alleles import Alleles, row_count


def listed(bases, start, before, after, deletions):
    for at, own in enumerate(bases):
        left, right = (before + bases + after)[at + len(before) - 1 :][:1], (bases + after)[at + 1 :][:1]
        pos = start + at + 1
        if own not in "ACGT":
            yield pos, own, "."
            continue
        if deletions:
            yield (pos - 1, left + own, left) if pos > 1 else (1, own + right, right)
        yield from ((pos, own, alt) for alt in "ACGT" if alt != own)


@pytest.mark.parametrize("deletions", [True, False])
@pytest.mark.parametrize(
    ("bases", "start", "before", "after"),
    [
        ("AACGTNRA", 7, "C", "T"),
        ("AAC", 0, "", "G"),
        ("A", 0, "", "A"),
        ("GT", 3, "N", ""),
        ("NN", 0, "", ""),
    ],
)
def test_rows_are_those_written_down(bases, start, before, after, deletions):
    alleles = Alleles("c", start, bases.encode(), before.encode(), after.encode(), deletions)
    rows = list(zip(alleles.pos.tolist(), alleles.ref.to_pylist(), alleles.alts.to_pylist(), strict=True))
    assert rows == list(listed(bases, start, before, after, deletions))
    assert row_count(alleles.ids, deletions=deletions) == len(alleles) == len(rows)
    assert (np.diff(alleles.pos) >= 0).all()
    for row in np.flatnonzero(alleles.alt >= 0).tolist():
        pos, ref, alt = rows[row]
        assert alleles.substitution(row) == Allele("c", pos - 1, ref.encode(), alt.encode())
