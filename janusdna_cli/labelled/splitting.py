"""Which sequences are learned from, which tell when to stop, and which are kept for the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from janusdna_cli.errors import InputError
from janusdna_cli.labelled.item import Item

__all__ = ["PARTS", "Split", "by_contig", "by_part", "folds", "leaks", "random_split"]

PARTS = ("train", "valid", "test")
_NAMES = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid",
          "dev": "valid", "test": "test"}  # fmt: skip

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Places of items in a list, by what they are for.

    Attributes:
        train: Learned from.
        valid: Tell the best epoch.
        test: Say how good it is.
    """

    train: Places
    valid: Places
    test: Places

    def parts(self) -> dict[str, Places]:
        """By name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}


def random_split(
    count: int, share: float, seed: int, strata: Sequence[object] | None = None, test: Places | None = None
) -> Split:
    """`share` of the places at random for validation, the same share of each stratum.

    Args:
        count: Items.
        share: Held out for validation; where there is no test, as many again for it.
        seed: Of chance.
        strata: What is to be found in all parts alike: classes; None for none.
        test: Places that are tested.
    """
    kept = np.setdiff1d(np.arange(count), test) if test is not None else np.arange(count)
    groups: dict[object, list[int]] = {}
    for place in kept:
        groups.setdefault(None if strata is None else strata[place], []).append(int(place))
    chance = np.random.default_rng(seed)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for key in sorted(groups, key=str):
        places = chance.permutation(groups[key])
        held = max(1, round(share * len(places))) if len(places) > 2 else 0
        tested = held if test is None else 0
        for part, some in zip(
            parts, np.split(places, [len(places) - held - tested, len(places) - tested]), strict=True
        ):
            part.extend(map(int, some))
    train, valid, chosen = (np.sort(np.array(part, dtype=np.int64)) for part in parts)
    return Split(train, valid, chosen if test is None else test)


def by_part(path: str, items: Sequence[Item], column: str) -> dict[str, Places]:
    """Places by what a column says.

    Raises:
        InputError: If it says something else than train, valid or test.
    """
    found: dict[str, list[int]] = {part: [] for part in PARTS}
    for place, item in enumerate(items):
        name = _NAMES.get((item.part or "").strip().lower())
        if name is None:
            said = item.part or "nothing"
            raise InputError(
                f"{path}: {item.place}: --split {column} is {said}, expected train, valid or test"
            )
        found[name].append(place)
    return {part: np.array(places, dtype=np.int64) for part, places in found.items()}


def by_contig(path: str, items: Sequence[Item], share: float, seed: int) -> Split:
    """Whole contigs held out: about `share` of the items for validation, and as many for the test.

    Raises:
        InputError: If items have no contigs, or there are fewer than three.
    """
    groups: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        if item.contig is None:
            raise InputError(
                f"{path}: {item.place}: has no contig; --split-by contig needs a column chrom, a BED or a VCF"
            )
        groups.setdefault(item.contig, []).append(place)
    if len(groups) < len(PARTS):
        raise InputError(f"{path}: found {len(groups)} contigs, expected three or more for --split-by contig")
    names = [sorted(groups)[place] for place in np.random.default_rng(seed).permutation(len(groups))]
    wanted = share * len(items)
    parts: dict[str, list[int]] = {part: [] for part in PARTS}
    for left, name in zip(range(len(names), 0, -1), names, strict=True):
        waiting = [part for part in ("valid", "test") if not parts[part]]
        part = "train"
        if waiting and (left <= len(waiting) or parts["train"]):
            part = waiting[0]
        elif len(parts["valid"]) + len(groups[name]) <= wanted:
            part = "valid"
        elif len(parts["test"]) + len(groups[name]) <= wanted:
            part = "test"
        parts[part].extend(groups[name])
    return Split(*(np.sort(np.array(parts[part], dtype=np.int64)) for part in PARTS))


def folds(count: int, number: int, seed: int, share: float, strata: Sequence[object] | None) -> list[Split]:
    """`number` splits in each of which another part is tested; validation is `share` of the rest."""
    groups: dict[object, list[int]] = {}
    for place in range(count):
        groups.setdefault(None if strata is None else strata[place], []).append(place)
    chance = np.random.default_rng(seed)
    tested: list[list[int]] = [[] for _ in range(number)]
    at = 0
    for key in sorted(groups, key=str):
        for place in chance.permutation(groups[key]):
            tested[at % number].append(int(place))
            at += 1
    tests = [np.sort(np.array(places, dtype=np.int64)) for places in tested]
    return [random_split(count, share, seed, strata, test) for test in tests]


def leaks(digests: Sequence[bytes], parts: Mapping[str, Places]) -> dict[tuple[str, str], int]:
    """How many items of a later part are in an earlier one, too.

    Args:
        digests: Of all items, the same for equal ones.
        parts: Places by name.
    """
    first: dict[str, set[bytes]] = {}
    found: dict[tuple[str, str], int] = {}
    for part in PARTS:
        own = [digests[place] for place in parts.get(part, ())]
        for before, seen in first.items():
            if count := sum(digest in seen for digest in own):
                found[before, part] = count
        first[part] = set(own)
    return found
