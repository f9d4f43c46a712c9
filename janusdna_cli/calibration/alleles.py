"""Random alleles at random places, as many of each class as are asked for.

A place is drawn, and at it one allele of each kind and length that is still wanted; each counts for the class
that it has once it is normalised. So within a class the places are random, and the alleles of a place share
its window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

from janusdna_cli.backgrounds.background import FEWEST
from janusdna_cli.backgrounds.classes import all_classes, allele_class, length_bins, name_of_length
from janusdna_cli.calibration.places import Places
from janusdna_cli.errors import InputError
from janusdna_cli.genome.alleles import Allele, normalise
from janusdna_cli.genome.fasta import Reference

__all__ = ["RandomAlleles", "wanted"]

_KINDS = ("deletion", "insertion", "MNV", "shortening", "lengthening")
_BASES = frozenset(b"ACGT")
_OTHERS = {base: bytes(sorted(_BASES - {base})) for base in sorted(_BASES)}
# A class of SNVs gets twice as many as one of indels, and that twice as many as others.
_PARTS = {"SNV": 4, "indel": 2, "other": 1}
# Places that are looked at for each allele that is wanted: some classes are rare, some are not there.
_PLACES_EACH = 10


def wanted(alleles: int, longest: int) -> dict[str, int]:
    """How many alleles of each class, of so many in all.

    Raises:
        InputError: If they are too few for any class.
    """
    kinds = all_classes(longest)
    parts = {name: _PARTS[kind] for kind, names in kinds.items() for name in names}
    fewest = -(-FEWEST * sum(parts.values()) // max(parts.values()))
    if alleles < fewest:
        told = f"{FEWEST} for each class of SNVs"
        raise InputError(f"-n: found {alleles:,}, expected {fewest:,} or more, which makes {told}")
    return {name: round(part * alleles / sum(parts.values())) for name, part in parts.items()}


class RandomAlleles:
    """Alleles with their classes, none twice.

    Args:
        reference: The genome.
        places: Where in it.
        counts: How many of each class.
        longest: Bases of an allele, at most; a place has as many to its right.
        around: Bases on each side of a place that must be A, C, G, T.
        seed: The same one makes the same alleles.
    """

    def __init__(
        self,
        reference: Reference,
        places: Places,
        counts: Mapping[str, int],
        *,
        longest: int,
        around: int,
        seed: int,
    ) -> None:
        self._reference = reference
        self._places = places
        self._open = {name: count for name, count in counts.items() if count}
        self._longest = longest
        self._around = around
        self._rng = Random(seed)
        self._seen: set[Allele] = set()
        self._most = _PLACES_EACH * sum(counts.values())
        self._proposals = self._still_wanted()

    def __iter__(self) -> Iterator[tuple[str, Allele]]:
        for _ in range(self._most):
            if not self._open:
                return
            contig, start = self._places.draw(self._rng)
            for ref, alt in self._proposed(contig, start):
                allele = normalise(self._reference, contig, start, ref, alt)
                name = allele_class(allele, self._reference)
                if name in self._open and allele not in self._seen and allele.start:
                    self._take(name, allele)
                    yield name, allele

    def _take(self, name: str, allele: Allele) -> None:
        self._seen.add(allele)
        self._open[name] -= 1
        if not self._open[name]:
            del self._open[name]
            self._proposals = self._still_wanted()

    def _still_wanted(self) -> list[tuple[int, int, list[str]]]:
        """Of which lengths, first to last, alleles of which kinds are proposed."""
        open_kinds = {name.removesuffix(":repeat") for name in self._open}
        found = [
            (first, last, [kind for kind in _KINDS if f"{kind}:{name_of_length(last)}" in open_kinds])
            for first, last in length_bins(self._longest)
        ]
        return [each for each in found if each[2]]

    def _proposed(self, contig: str, start: int) -> Iterator[tuple[bytes, bytes]]:
        """REF and ALT at a place, of what is still wanted; nothing where a base around it is not known."""
        before = self._fetch(contig, start - self._around, start)
        after = self._fetch(contig, start, start + max(self._around, self._longest) + 1)
        if not _BASES.issuperset(before + after[: self._around]):
            return
        if any(name.startswith("SNV") for name in self._open):
            yield from ((after[:1], bytes([other])) for other in _OTHERS[after[0]])
        for first, last, kinds in self._proposals:
            length = self._rng.randint(first, last)
            bases = after[:length]
            # Where it cannot move by one base, no unit of it stands beside it.
            is_fixed = after[length : length + 1] != bases[:1] and before[-1:] != bases[-1:]
            is_unwanted = is_fixed and f"deletion:{name_of_length(last)}" not in self._open
            for kind in kinds:
                if not (kind == "deletion" and is_unwanted):
                    yield from filter(_is_known, self._of_kind(kind, bases))

    def _of_kind(self, kind: str, bases: bytes) -> Iterator[tuple[bytes, bytes]]:
        length = len(bases)
        if kind == "deletion":
            yield bases, b""
        elif kind == "insertion":
            yield from ((b"", bases), (b"", self._elsewhere(length)))  # what stands beside, once more
        elif kind == "MNV":
            yield bases, bytes(self._rng.choice(_OTHERS.get(base, b"N")) for base in bases)
        elif kind == "shortening":
            yield bases, self._elsewhere(self._rng.randint(1, length - 1))
        else:
            yield bases[: self._rng.randint(1, length - 1)], self._elsewhere(length)

    def _fetch(self, contig: str, start: int, end: int) -> bytes:
        """What of [start, end) the contig has."""
        return self._reference.fetch(contig, max(0, start), min(end, self._reference.lengths[contig]))

    def _elsewhere(self, length: int) -> bytes:
        contig, start = self._places.draw(self._rng)
        return self._reference.fetch(contig, start, start + length)


def _is_known(pair: tuple[bytes, bytes]) -> bool:
    return _BASES.issuperset(b"".join(pair))
