"""The alleles of a VCF or BCF with what INFO says of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pysam

from janusdna_cli.errors import InputError
from janusdna_cli.genome.streams import decode
from janusdna_cli.genome.variant import Variant
from janusdna_cli.genome.vcf import VariantReader

__all__ = ["InfoReader", "LabelledAllele", "of_alt", "read_alleles"]

_INFO = 7
_STDIN = "-"


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


class InfoReader:
    """What INFO says of records, one after the other.

    Args:
        records: Of the file, kept as they came.
        path: The file, "-" for stdin, which cannot be BCF.

    Raises:
        InputError: If it is BCF from stdin: its records are read twice.
    """

    def __init__(self, records: VariantReader, path: str) -> None:
        self._again: Iterator[object] | None = None
        if records.is_bcf:
            if path == _STDIN:
                raise InputError(
                    f"{records.name}: INFO of a BCF from standard input cannot be read; save it first"
                )
            verbosity = pysam.set_verbosity(0)  # no index is needed
            try:
                self._again = iter(pysam.VariantFile(path))
            finally:
                pysam.set_verbosity(verbosity)

    def of(self, variant: Variant) -> dict[str, str]:
        """Of the next record, which this is; a flag is "1"."""
        if self._again is not None:
            line = str(next(self._again)).encode("utf-8", "surrogateescape")
        else:
            line = variant.record or b""
        fields = line.rstrip(b"\r\n").split(b"\t", _INFO + 1)
        return _parsed(decode(fields[_INFO])) if len(fields) > _INFO else {}


def read_alleles(path: str | Path) -> Iterator[LabelledAllele]:
    """Every ALT of every record of a VCF or BCF; those of one record after another.

    Where INFO has as many values of a key as the record has ALTs, each ALT is given its own.
    """
    with VariantReader.open(str(path), keep_records=True) as reader:
        infos = InfoReader(reader, str(path))
        for variant in reader:
            info = infos.of(variant)
            for which, alt in enumerate(variant.alts):
                own = {key: of_alt(value, which, len(variant.alts)) for key, value in info.items()}
                letters = alt.upper() if alt.isalpha() else alt
                yield LabelledAllele(variant.chrom, variant.pos, variant.ref.upper(), letters, own)


def of_alt(value: str, which: int, alts: int) -> str:
    """What a value says of one of some ALTs."""
    values = value.split(",")
    return values[which] if len(values) == alts else value


def _parsed(info: str) -> dict[str, str]:
    pairs = (field.partition("=") for field in info.split(";") if field not in ("", "."))
    return {key: value if equals else "1" for key, equals, value in pairs}
