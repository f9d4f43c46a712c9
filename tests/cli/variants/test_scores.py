"""Scores of many substitutions at once are those of each."""

import numpy as np
import pytest

from janusdna import tokens
from janusdna_cli.genome.alleles import Allele
from janusdna_cli.reading.answers import WindowAnswer
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD, Request
from janusdna_cli.variants.scores import (
    PlacedAllele,
    ReadAllele,
    ReadSubstitutions,
    values,
    values_at_once,
    wanted_scores,
)

SITES = 40


def test_at_once_is_one_by_one():
    draw = np.random.default_rng(0)
    for strands in (FORWARD, BOTH_STRANDS):
        ids = draw.integers(tokens.A, tokens.T + 1, SITES).astype(np.uint8)
        logp = np.log(draw.dirichlet(np.full(4, 0.3), (len(strands), SITES)) + 1e-12).astype(np.float32)
        answer = WindowAnswer(
            Request(ids, np.arange(SITES), strands), logp, np.zeros((SITES, 2), np.float32), {}
        )
        base, alt = (each.ravel() for each in np.indices((SITES, 4)))
        ref = ids[base].astype(np.int64) - tokens.A
        base, ref, alt = (each[ref != alt] for each in (base, ref, alt))
        scores = wanted_scores(Allele("c", 0, b"A", b"C"), ("llr",))
        found = values_at_once(scores, ReadSubstitutions(logp, base, ref, alt))
        assert sorted(found) == ["alt_logp", "entropy", "llr", "ref_logp"]
        for row, (at, own, other) in enumerate(zip(base.tolist(), ref.tolist(), alt.tolist(), strict=True)):
            allele = Allele("c", at, b"ACGT"[own : own + 1], b"ACGT"[other : other + 1])
            one = values(scores, ReadAllele(PlacedAllele(allele, at, SITES, 8), answer, None))
            at_once = {name: found[name][row] for name in one}
            assert at_once == pytest.approx(one, rel=1e-13, abs=1e-13)
