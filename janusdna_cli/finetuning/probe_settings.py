"""What `probe` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna_cli.checks import paths
from janusdna_cli.finetuning.label_settings import LabelSettings

__all__ = ["ProbeSettings"]


@dataclass(frozen=True, kw_only=True)
class ProbeSettings(LabelSettings):
    """What `probe` does: a linear model of embeddings that are not trained.

    Attributes:
        labels: Where the input is a table that `embed` wrote: a table of labels, told by `name` or `id`, or
            by `chrom`, `start` and `end`; None where the label is a column of the input.

    Raises:
        InputError: If a number makes no sense, or two options say the same.
    """

    labels: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        paths(self, "labels")
