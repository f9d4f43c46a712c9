"""A VCF of alleles with what INFO says of each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from janusdna_cli.labelled.info import LabelledAllele


def write_alleles(path: Path, alleles: Iterable[LabelledAllele]) -> None:
    """Write a VCF with one record for each, in their order."""
    with path.open("w") as file:
        file.write("##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for one in alleles:
            info = ";".join(f"{key}={value}" for key, value in one.info.items()) or "."
            file.write(f"{one.chrom}\t{one.pos}\t.\t{one.ref}\t{one.alt}\t.\t.\t{info}\n")
