"""A background: of random alleles of each class, the quantiles of their scores; as a file, and looked up.

The file is a JSON object (docs/formats.md). Values stand from the most unexpected on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from janusdna_cli.backgrounds.quantiles import Floats, Integers, kept_ranks, shares_up_to
from janusdna_cli.errors import InputError

__all__ = [
    "FEWEST",
    "KIND",
    "UNEXPECTED",
    "Background",
    "Conditions",
    "as_json_text",
    "read_background",
    "summarise",
]

# What is unexpected of a score: low values or high ones. These have percentiles.
UNEXPECTED = {"llr": "low", "delta_pll": "low", "influence": "high"}
# Of a class with fewer random alleles than these nothing is told.
FEWEST = 50

KIND = "janusdna background"
_VERSION = 1


@dataclass(frozen=True)
class Conditions:
    """How alleles are read: what has to be the same for scores to be compared.

    Attributes:
        window: Bases of context.
        context: "centered" or "tiled".
        span: Bases on each side that some scores read.
        both_strands: Whether these are averaged.
    """

    window: int
    context: str
    span: int
    both_strands: bool

    def __str__(self) -> str:
        strands = "--rc" if self.both_strands else "--no-rc"
        return f"--window {self.window} --context {self.context} --span {self.span} {strands}"

    @property
    def stem(self) -> str:
        """For the name of a file."""
        strands = "rc" if self.both_strands else "no-rc"
        return f"{self.window}-{self.context}-{self.span}-{strands}"


@dataclass(frozen=True)
class Background:
    """Quantiles of scores, by class of allele.

    Attributes:
        path: The file.
        sha256: Of it.
        model: Name and sha256 of the model's weights.
        conditions: How the alleles were read.
        made: What else the file says of its origin.
        counts: Alleles by class.
        values: By class and score, from the most unexpected on, negated where high is unexpected.
        ranks: Of these values, by the number of alleles.
    """

    path: str
    sha256: str
    model: Mapping[str, str]
    conditions: Conditions
    made: Mapping[str, Any]
    counts: Mapping[str, int]
    values: Mapping[str, Mapping[str, Floats]]
    ranks: Mapping[int, Integers]

    @classmethod
    def of(cls, found: Any, path: str, sha256: str) -> Self:
        """Of the JSON value that a file holds.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: It is none of a background.
        """
        if found["kind"] != KIND or found["version"] != _VERSION:
            raise ValueError(f"version {found['version']}")
        conditions = Conditions(**found["conditions"])
        ranks = {int(count): np.array(each, np.int64) for count, each in found["ranks"].items()}
        counts = {name: int(each["alleles"]) for name, each in found["classes"].items()}
        values = {
            name: {score: _ascending(score, each[score]) for score in UNEXPECTED if score in each}
            for name, each in found["classes"].items()
        }
        for name, scores in values.items():
            if any(len(each) != len(ranks[counts[name]]) for each in scores.values()):
                raise ValueError(f"{name} has other values than ranks")
        return cls(path, sha256, dict(found["model"]), conditions, found["made"], counts, values, ranks)

    @property
    def alleles(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def scores(self) -> list[str]:
        """Those that it tells of."""
        there = {score for scores in self.values.values() for score in scores}
        return [score for score in UNEXPECTED if score in there]

    @property
    def wanting(self) -> list[str]:
        """Classes of which there were too few."""
        return [name for name, scores in self.values.items() if not scores]

    def __str__(self) -> str:
        scores = ", ".join(self.scores)
        return f"of {scores} by {self.alleles:,} random alleles, {self.conditions} ({self.path})"

    def record(self) -> dict[str, Any]:
        """For a program: JSON values."""
        facts = {"path": self.path, "sha256": self.sha256, **asdict(self.conditions)}
        return facts | {"scores": self.scores, "alleles": self.alleles, "classes": dict(self.counts)}

    def percentiles(self, kind: str, score: str, values: Floats) -> Floats | None:
        """The share of random alleles of a class that are at least as unexpected, each one counted in.

        Args:
            kind: The class.
            score: One of `UNEXPECTED`.
            values: Of alleles of that class, (m,), NaN where there is none.

        Returns:
            (m,), above 0, 1 at most; None where the background does not tell.
        """
        kept = self.values.get(kind, {}).get(score)
        if kept is None:
            return None
        rounded = values.astype(np.float32).astype(np.float64)  # as tables have them
        return shares_up_to(_turned(score, rounded), kept, self.ranks[self.counts[kind]])


def read_background(path: str | Path) -> Background:
    """The background that a file holds.

    Raises:
        InputError: It cannot be read, or holds none.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected a background of `janusdna calibrate`") from None
    try:
        return Background.of(json.loads(content), str(path), hashlib.sha256(content).hexdigest())
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        problem = f"no background that this version reads ({type(error).__name__}: {error})"
        raise InputError(f"{path}: {problem}; make one with `janusdna calibrate`") from None


def summarise(columns: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Classes and ranks as the file has them.

    Args:
        columns: By class and score, values, NaN where there is none; of a class equally many each.
    """
    classes: dict[str, Any] = {}
    for name, scores in columns.items():
        there = {score: values for score, values in scores.items() if not np.isnan(values).all()}
        whole = ~np.isnan(np.array(list(there.values()))).any(axis=0) if there else np.zeros(0, bool)
        classes[name] = {"alleles": int(whole.sum())}
        if whole.sum() < FEWEST:
            continue
        at = np.array(kept_ranks(int(whole.sum()))) - 1
        for score, values in there.items():
            ordered = np.sort(_turned(score, values[whole]))[at]
            classes[name][score] = [float(str(value)) for value in _turned(score, ordered)]
    counts = {each["alleles"] for each in classes.values() if each["alleles"] >= FEWEST}
    return {"ranks": {str(count): kept_ranks(count) for count in sorted(counts)}, "classes": classes}


def as_json_text(
    model: Mapping[str, str], conditions: Conditions, made: Mapping[str, Any], summary: Mapping[str, Any]
) -> str:
    """The file: a line for each class."""
    head = {
        "kind": KIND,
        "version": _VERSION,
        "model": model,
        "conditions": asdict(conditions),
        "made": made,
    }
    fields = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    for name in ("ranks", "classes"):
        lines = [f"{json.dumps(key)}: {json.dumps(each)}" for key, each in summary[name].items()]
        fields.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _turned(score: str, values: Any) -> Any:
    """So that low is unexpected."""
    return values if UNEXPECTED[score] == "low" else -values


def _ascending(score: str, values: Any) -> Floats:
    turned: Floats = np.array([float(_turned(score, value)) for value in values])
    if (np.diff(turned) < 0).any():
        raise ValueError(f"{score} is not sorted")
    return turned
