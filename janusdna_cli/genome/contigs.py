"""Contig names that mean the same sequence: `chr1` and `1`, `chrM` and `MT`, `NC_000017.10` and `17`."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

__all__ = ["ContigNames", "canonical_name"]

_CHR_PREFIX = re.compile(r"chr(?=.)", re.IGNORECASE)
_HUMAN_REFSEQ = re.compile(r"NC_(\d{6})\.\d+")
_REFSEQ_NAMES = {number: str(number) for number in range(1, 23)} | {23: "X", 24: "Y", 12920: "MT"}
_ACCESSION = re.compile(r"([A-Z]{1,6}_?\d{5,})\.\d+")
_ZEROS = re.compile(r"^0+(?=\d)")


class ContigNames:
    """The names of one FASTA, found by the names other files use.

    Args:
        names: The FASTA's names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)
        self._by_canonical: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            self._by_canonical[canonical_name(name)].append(name)

    def find(self, name: str) -> str | None:
        """The FASTA's own name for `name`.

        None when there is none, more than one that is not exact, or only another version of an accession,
        which is another sequence.
        """
        if name in self._names:
            return name
        candidates = self._by_canonical.get(canonical_name(name), [])
        if len(candidates) != 1 or _are_versions(name, candidates[0]):
            return None
        return candidates[0]

    def hint(self, name: str) -> str | None:
        """What to do about a name that is not found, where the FASTA has one like it; None where it has not.

        Alike are names that differ in quotes, white space, case, zeros before a number, or an accession's
        version.
        """
        there = self._by_likeness.get(_likeness(name))
        if there is None:
            return None
        if _are_versions(name, there):
            return f"but {there!r} is: another version is another sequence, take the FASTA of that version"
        return f"but {there!r} is: write names the same way in both files"

    @cached_property
    def _by_likeness(self) -> dict[str, str]:
        return {_likeness(name): name for name in reversed(self._names)}


def canonical_name(name: str) -> str:
    """The name without its `chr` prefix; human RefSeq accessions as `1` to `22`, `X`, `Y`; M as MT."""
    refseq = _HUMAN_REFSEQ.fullmatch(name)
    if refseq:
        return _REFSEQ_NAMES.get(int(refseq[1]), name)
    match = _CHR_PREFIX.match(name)
    bare = name[match.end() :] if match else name
    return "MT" if bare in ("M", "MT") else bare


def _are_versions(one: str, other: str) -> bool:
    """Of two names that mean the same but for their version."""
    return all(map(_ACCESSION.fullmatch, (one, other)))


def _likeness(name: str) -> str:
    bare = canonical_name(name.strip(" \"'").upper())
    accession = _ACCESSION.fullmatch(bare)
    return accession[1] if accession else _ZEROS.sub("", bare)
