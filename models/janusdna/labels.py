"""What a fine-tuned network is asked, without PyTorch: the kind of labels, how they are read off."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from janusdna.errors import ConfigError

__all__ = [
    "HEADS",
    "KINDS",
    "POOLS",
    "STRANDS",
    "Head",
    "LabelKind",
    "LabelTask",
    "Pool",
    "Strands",
]

LabelKind = Literal["binary", "multiclass", "multilabel", "regression"]
KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
Pool = Literal["mean", "max", "center", "attention"]
POOLS: tuple[Pool, ...] = get_args(Pool)
Head = Literal["linear", "mlp"]
HEADS: tuple[Head, ...] = get_args(Head)
# Strands that are read: one drawn for each sequence in training and both in a prediction, always both, the
# one that is given, or that in training and both in a prediction.
Strands = Literal["test", "both", "none", "predict"]
STRANDS: tuple[Strands, ...] = get_args(Strands)


@dataclass(frozen=True, kw_only=True)
class LabelTask:
    """What a network tells of a sequence.

    Attributes:
        kind: Of the labels.
        labels: Classes in the order of their outputs; of a regression the columns.
        pool: How hidden states become one vector a sequence.
        head: How outputs come of that.
        strands: Which strands are read.
        pad_to: Length to which sequences are padded on the left, and cut; None for as they are.
        window: Bases that are read around a variant, with REF and with ALT; None where a sequence is one.
        mean, spread: Of a regression's labels in training, one a column: outputs are in these units.
    """

    kind: LabelKind
    labels: tuple[str, ...]
    pool: Pool = "mean"
    head: Head = "linear"
    strands: Strands = "test"
    pad_to: int | None = None
    window: int | None = None
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    @property
    def pairs(self) -> bool:
        """Whether a sequence is two, a reference and an alternative one."""
        return self.window is not None

    @property
    def outputs(self) -> int:
        """Numbers that the head gives: a binary label has one for each class, as any other."""
        return len(self.labels)

    def to_dict(self) -> dict[str, Any]:
        """As `task.json` has it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> LabelTask:
        """What `to_dict` gave.

        Raises:
            ConfigError: If a field is missing, unknown or not what it should be.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(fields) - known):
            raise ConfigError(f"unknown field {unknown[0]!r}: expected {', '.join(sorted(known))}")
        choices = {"kind": KINDS, "pool": POOLS, "head": HEADS, "strands": STRANDS}
        for name, values in choices.items():
            if name in fields and fields[name] not in values:
                raise ConfigError(f"{name} is {fields[name]!r}: expected {', '.join(values)}")
        try:
            listed = {name: tuple(fields[name]) for name in ("labels", "mean", "spread") if name in fields}
            return cls(**{**fields, **listed})
        except TypeError as error:
            raise ConfigError(f"fields of a label task: {error}") from None
