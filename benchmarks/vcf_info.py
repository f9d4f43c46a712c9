"""The alleles of a text VCF with what INFO says of each, and a VCF of such alleles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from janusdna_cli.genome.streams import decode
from janusdna_cli.genome.vcf import VariantReader

_INFO = 7


@dataclass(frozen=True)
class LabelledAllele:
    """One ALT of a record.

    Attributes:
        chrom: As in the file.
        pos: 1-based.
        ref: In upper case.
        alt: One of them, its bases in upper case.
        info: What INFO says of this ALT; a flag is "1".
    """

    chrom: str
    pos: int
    ref: str
    alt: str
    info: dict[str, str]

    @property
    def is_substitution(self) -> bool:
        """Whether known bases become as many other known ones."""
        return len(self.ref) == len(self.alt) and set(self.ref + self.alt) <= set("ACGT")


def read_alleles(path: str | Path) -> Iterator[LabelledAllele]:
    """Every ALT of every record of a text VCF, plain or compressed; those of one record after another.

    Where INFO has as many values of a key as the record has ALTs, each ALT is given its own.
    """
    with VariantReader.open(str(path), keep_records=True) as reader:
        for variant in reader:
            fields = (variant.record or b"").rstrip(b"\r\n").split(b"\t", _INFO + 1)
            info = _parsed(decode(fields[_INFO])) if len(fields) > _INFO else {}
            for which, alt in enumerate(variant.alts):
                own = {key: _of_alt(value, which, len(variant.alts)) for key, value in info.items()}
                letters = alt.upper() if alt.isalpha() else alt
                yield LabelledAllele(variant.chrom, variant.pos, variant.ref.upper(), letters, own)


def write_alleles(path: Path, alleles: Iterable[LabelledAllele]) -> None:
    """Write a VCF with one record for each, in their order."""
    with path.open("w") as file:
        file.write("##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for one in alleles:
            info = ";".join(f"{key}={value}" for key, value in one.info.items()) or "."
            file.write(f"{one.chrom}\t{one.pos}\t.\t{one.ref}\t{one.alt}\t.\t.\t{info}\n")


def _parsed(info: str) -> dict[str, str]:
    pairs = (field.partition("=") for field in info.split(";") if field not in ("", "."))
    return {key: value if equals else "1" for key, equals, value in pairs}


def _of_alt(value: str, which: int, alts: int) -> str:
    values = value.split(",")
    return values[which] if len(values) == alts else value
