"""What is in the tables: bases of each kind, and how often they are read, by genome and split."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from janusdna_cli.corpus.kinds import Kind
from janusdna_cli.genome.splits import SPLITS
from janusdna_cli.runtime.progress import format_bases

__all__ = ["Counts"]

_log = logging.getLogger("janusdna")


class Counts:
    """Bases by genome, split, kind, and whether they are read often.

    Args:
        gene_weight: How often the latter are read, where others are once.
    """

    def __init__(self, gene_weight: float) -> None:
        self._weights = np.array([1.0, gene_weight])
        self._bases: defaultdict[str, npt.NDArray[np.int64]] = defaultdict(
            lambda: np.zeros((len(SPLITS), len(Kind), 2), np.int64)
        )

    def add(
        self,
        genome: str,
        splits: npt.NDArray[np.uint8],
        kinds: npt.NDArray[np.uint8],
        is_often: npt.NDArray[np.bool_],
    ) -> None:
        """Count bases of a genome: each one's split by number, its kind, whether it is read often, (T,)."""
        shape = (len(SPLITS), len(Kind), 2)
        which = np.ravel_multi_index((splits, kinds, is_often.astype(np.int64)), shape)
        self._bases[genome] += np.bincount(which, minlength=np.prod(shape)).reshape(shape)

    def has(self, split: str) -> bool:
        """Whether any genome has a base in a split."""
        return any(found[SPLITS.index(split)].any() for found in self._bases.values())

    def as_json(self) -> list[dict[str, Any]]:
        """A record of each genome and split that has bases, as docs/formats.md has it."""
        totals = sum(found @ self._weights for found in self._bases.values())
        return [
            self._record(genome, split, found[number], float(totals[number].sum()))
            for number, split in enumerate(SPLITS)
            for genome, found in self._bases.items()
            if found[number].any()
        ]

    def _record(
        self, genome: str, split: str, found: npt.NDArray[np.int64], read_in_split: float
    ) -> dict[str, Any]:
        bases, reads = found.sum(axis=1), found @ self._weights
        kinds = {
            kind.name: {
                "bases": int(bases[kind]),
                "share": bases[kind] / bases.sum(),
                "read_share": reads[kind] / reads.sum(),
            }
            for kind in Kind
            if bases[kind]
        }
        return {
            "genome": genome,
            "split": split,
            "bases": int(bases.sum()),
            "read_share": reads.sum() / read_in_split,
            "kinds": kinds,
        }

    def tell(self) -> None:
        """A line for each genome and split."""
        for record in self.as_json():
            kinds = ", ".join(
                f"{kind} {_percent(found['share'])} (read {_percent(found['read_share'])})"
                for kind, found in record["kinds"].items()
            )
            name = f"{record['genome']} " if record["genome"] else ""
            read = f"{_percent(record['read_share'])} of what is read"
            _log.info("%s%s: %s, %s: %s", name, record["split"], format_bases(record["bases"]), read, kinds)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
