"""What `benchmark variants` can be told. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from janusdna_cli.checks import paths
from janusdna_cli.errors import InputError

__all__ = ["VariantBenchmarkSettings"]


@dataclass(frozen=True, kw_only=True)
class VariantBenchmarkSettings:
    """What `benchmark variants` does.

    Attributes:
        vcf: Variants with a label in INFO.
        scores: The table or the annotated VCF that `score-variants` made of them; None to look into the VCF
            itself.
        label: INFO field of the label, as INFO/NAME.
        positive, negative: Values of the label that count as one or the other; with neither there must be two
            values, of which the later by name is positive.
        info: Other INFO fields to compare, as INFO/NAME.
        by: INFO fields by whose values it is told as well.
        output: The folder of the table and the picture; None for `<vcf stem>.janusdna-benchmark`.
        seed: Of the resamples.
        overwrite, quiet: As in other commands.

    Raises:
        InputError: If a value means nothing.
    """

    vcf: str
    scores: str | None = None
    label: str
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    info: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    output: str | None = None
    seed: int = 0
    overwrite: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        paths(self, "vcf", "scores", "output")
        for option, names in (("--label", (self.label,)), ("--info", self.info), ("--by", self.by)):
            for name in names:
                if not name.startswith("INFO/") or len(name) == len("INFO/"):
                    raise InputError(f"{option} {name}: expected INFO/NAME")
        if set(self.positive) & set(self.negative):
            raise InputError("--positive and --negative: a value is in both")
