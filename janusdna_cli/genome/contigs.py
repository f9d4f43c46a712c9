"""Contig names that mean the same sequence: `chr1` and `1`, `chrM` and `MT`, `NC_000017.10` and `17`."""

import re
from collections import defaultdict
from collections.abc import Iterable

__all__ = ["ContigNames", "canonical_name"]

_CHR_PREFIX = re.compile(r"chr(?=.)", re.IGNORECASE)
_HUMAN_REFSEQ = re.compile(r"NC_(\d{6})\.\d+")
_REFSEQ_NAMES = {number: str(number) for number in range(1, 23)} | {23: "X", 24: "Y", 12920: "MT"}


class ContigNames:
    """The names of one FASTA, found by the names other files use.

    Args:
        names: The FASTA's names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._by_canonical: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            self._by_canonical[canonical_name(name)].append(name)

    def find(self, name: str) -> str | None:
        """The FASTA's own name for `name`; None when there is none, or more than one that is not exact."""
        if name in self._names:
            return name
        candidates = self._by_canonical.get(canonical_name(name), [])
        return candidates[0] if len(candidates) == 1 else None


def canonical_name(name: str) -> str:
    """The name without its `chr` prefix; human RefSeq accessions as `1` to `22`, `X`, `Y`; M as MT."""
    refseq = _HUMAN_REFSEQ.fullmatch(name)
    if refseq:
        return _REFSEQ_NAMES.get(int(refseq[1]), name)
    match = _CHR_PREFIX.match(name)
    bare = name[match.end() :] if match else name
    return "MT" if bare in ("M", "MT") else bare
