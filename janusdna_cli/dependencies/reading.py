"""What a model says of a region's substitutions.

Each substitution is a local edit of one window: what is read is the region around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from janusdna import tokens
from janusdna_cli.reading.odds import change_of_odds
from janusdna_cli.reading.requests import Haplotype, Request
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.runtime.progress import Progress

__all__ = ["read_dependencies"]

# Of edited windows that are in memory together; for each such number the window itself is read once.
_POSITIONS = 1 << 17
_ALLELES = np.arange(4)


class _Substitution(NamedTuple):
    """A base of the region replaced; the allele is 0 to 3 for A, C, G, T."""

    base: int
    allele: int
    haplotype: Haplotype


def read_dependencies(
    window: npt.NDArray[np.uint8],
    start: int,
    end: int,
    strands: tuple[bool, ...],
    reader: WindowReader,
    bar: Progress,
) -> npt.NDArray[np.float32]:
    """Read each substitution of a region, and what it changes at each base of the region.

    Args:
        window: Token ids of the region's window, (T,).
        start, end: The region, 0-based half-open within the window.
        strands: Which are read.
        reader: Who answers.
        bar: Told of the substitutions that are done.

    Returns:
        As `DependencyMap.by_allele`.
    """
    # An edit is read with at least a base more on each side, where the window has one.
    first, last = max(0, start - 1), min(len(window), end + 1)
    own = slice(start - first, end - first)
    asked = list(_substitutions(window, start, end, first, last))
    at_once = max(1, _POSITIONS // (last - first))
    found = np.full((end - start, len(_ALLELES), end - start), np.nan, np.float32)
    for done in range(0, len(asked), at_once):
        some = asked[done : done + at_once]
        request = Request(window, np.arange(first, last), strands, [each.haplotype for each in some])
        answer = reader.answer([request])[request]
        for base, allele, haplotype in some:
            after = answer.haplotypes[haplotype].logp[:, own]
            found[base, allele] = change_of_odds(answer.logp[:, own], after)
            found[base, allele, base] = np.nan
        bar.advance(len(some))
    return found


def _substitutions(
    window: npt.NDArray[np.uint8], start: int, end: int, first: int, last: int
) -> Iterator[_Substitution]:
    """All three of each base that is A, C, G or T, read from `first` to `last`."""
    for at in range(start, end):
        if tokens.is_base(window[at]):
            for allele in _ALLELES[window[at] - tokens.A != _ALLELES]:
                ids = np.array([tokens.A + allele], np.uint8)
                yield _Substitution(at - start, int(allele), Haplotype(at, at + 1, ids, first, last))
