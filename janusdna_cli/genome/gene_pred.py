"""UCSC's genePred tables (https://genome.ucsc.edu/FAQ/FAQformat.html#format9), a line at a time.

Columns separated by tabs, 0-based half-open: name, contig, strand, start and end of the transcript, of what
codes, the number of exons, their starts, their ends; then none to six more, the gene as `name2` among them.

- A whole number before these is the index of UCSC's tables (refGene.txt); another word is the gene (refFlat).
- `start == end` of what codes: it codes for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from janusdna_cli.genome.gathering import joined, number, strand_of
from janusdna_cli.genome.streams import decode
from janusdna_cli.genome.transcripts import Transcript

__all__ = ["GenePredReader", "is_gene_pred"]

_FEWEST, _MOST = 10, 16
_SCORE, _GENE = 10, 11


def is_gene_pred(fields: list[bytes]) -> bool:
    """Whether a line's columns look like those of a table."""
    if not _FEWEST <= len(fields) <= _MOST:
        return False
    own = _own_columns(fields)[1]
    return len(own) >= _FEWEST and own[2] in (b"+", b"-") and all(each.isdigit() for each in own[3:8])


class GenePredReader:
    """Lines of a table to transcripts, one each."""

    def add(self, fields: list[bytes]) -> Transcript | None:
        """The transcript of a line's columns.

        Raises:
            ValueError: With what is wrong.
        """
        before, own = _own_columns(fields)
        if len(own) < _FEWEST:
            raise ValueError(f"found {len(fields)} columns, expected {_FEWEST} to {_MOST} separated by tabs")
        exons = _exons(own)
        coding = number(own[5], "cdsStart", low=0), number(own[6], "cdsEnd", low=0)
        return Transcript(
            decode(own[0]), _gene(before, own), decode(own[1]), strand_of(own[2]), joined(exons),
            coding if coding[0] < coding[1] else None,
        )  # fmt: skip

    def finish(self) -> Iterator[Transcript]:
        """None is left."""
        return iter(())


def _own_columns(fields: list[bytes]) -> tuple[bytes, list[bytes]]:
    """What stands before the columns, and these."""
    if len(fields) > _FEWEST and not fields[3].isdigit():  # without it, where the transcript starts
        return fields[0], fields[1:]
    return b"", fields


def _exons(own: list[bytes]) -> list[tuple[int, int]]:
    count = number(own[7], "exonCount", low=1)
    starts, ends = (_numbers(own[at], name) for at, name in ((8, "exonStarts"), (9, "exonEnds")))
    if not len(starts) == len(ends) == count:
        found = f"{len(starts)} exonStarts and {len(ends)} exonEnds"
        raise ValueError(f"found {found}, expected {count} of each, the exonCount")
    for start, end in zip(starts, ends, strict=True):
        if end <= start:
            raise ValueError(f"found an exon from {start} to {end}, expected its end after its start")
    return list(zip(starts, ends, strict=True))


def _numbers(field: bytes, column: str) -> list[int]:
    """Numbers separated by commas, with one at the end or not."""
    return [number(each, column, low=0) for each in field.strip().rstrip(b",").split(b",")]


def _gene(before: bytes, own: list[bytes]) -> str:
    """The gene's name where there is one, else the transcript's."""
    if before and not before.isdigit():
        return decode(before)
    has_score = len(own) > _GENE and own[_SCORE].lstrip(b"-").isdigit()
    return decode(own[_GENE] if has_score and own[_GENE] else own[0])
