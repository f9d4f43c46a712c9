"""A sequence of an input, with its label where it has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Item", "KeyKind"]

# What an item is told by: an id, a place in a genome, or an allele.
KeyKind = Literal["sequence", "region", "variant"]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of an input.

    Attributes:
        place: Where it stands, as an error names it: "line 7", "record 3".
        keys: What tells it from others in an output: `id`; or `chrom`, `start`, `end`; or a variant's.
        sequence: As it is read; empty where it cannot be, see `status`.
        alternative: The same with the variant's ALT, of a variant.
        label: As the input has it, text; None where it has none.
        contig: Where it lies; None where that is not known.
        part: What a column or a folder says it is for: "train", "valid" or "test"; None where none does.
        status: "ok", or why there is no sequence.
        columns: Others that were asked for, by name.
    """

    place: str
    keys: Mapping[str, Any]
    sequence: str
    alternative: str | None = None
    label: str | None = None
    contig: str | None = None
    part: str | None = None
    status: str = "ok"
    columns: Mapping[str, Any] = field(default_factory=dict)
