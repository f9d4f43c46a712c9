"""What a run says of itself before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from janusdna_cli.finetuning.data import LabelledData, Trial

__all__ = ["told_of"]


def told_of(data: LabelledData, planned: Sequence[Trial]) -> str:
    """What is learned, in a line."""
    parts = planned[0].split.parts()
    sizes = ", ".join(f"{len(places):,} {part}" for part, places in parts.items())
    trainings = "" if len(planned) == 1 else f", {len(planned)} times"
    return f"{data.encoding.told()}; {len(data.items):,} sequences ({sizes}){trainings}"
