"""GTF (https://mblab.wustl.edu/GTF22.html), a line at a time.

Nine columns separated by tabs, 1-based and inclusive; the ninth is `name "value"; name "value";`.

- A transcript codes from its first to its last base of `CDS`, `start_codon` and `stop_codon`: Ensembl's `CDS`
  leaves out the stop codon, others' holds it.
- Of a transcript without `exon` lines the coding lines are the exons.
- `gene`, `transcript` and all other lines say nothing that exons do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from janusdna_cli.genome.gathering import COLUMNS, PIECES, Gatherer, piece_of
from janusdna_cli.genome.streams import decode, excerpt
from janusdna_cli.genome.transcripts import Transcript

__all__ = ["GtfReader"]

_ATTRIBUTE = r'\b{}\s+(?:"([^"]*)"|([^;"\s]+))'
_TRANSCRIPT, _GENE_NAME, _GENE_ID = (
    re.compile(_ATTRIBUTE.format(name).encode()) for name in ("transcript_id", "gene_name", "gene_id")
)


class GtfReader:
    """Lines of GTF to transcripts, all of which are known at the end."""

    def __init__(self) -> None:
        self._pieces = Gatherer()
        self._genes: dict[str, str] = {}

    def add(self, fields: list[bytes]) -> Transcript | None:
        """Take a line's columns.

        Raises:
            ValueError: With what is wrong.
        """
        if len(fields) < COLUMNS:
            raise ValueError(f"found {len(fields)} columns, expected {COLUMNS} separated by tabs")
        if fields[2] not in PIECES:
            return None
        piece = piece_of(fields)
        transcript = _value(_TRANSCRIPT, fields[8])
        if not transcript:
            raise ValueError(f'found {excerpt(fields[8])} in column 9, expected transcript_id "NAME";')
        if transcript not in self._genes:
            gene = _value(_GENE_NAME, fields[8]) or _value(_GENE_ID, fields[8])
            self._genes[transcript] = gene or transcript
        self._pieces.add(transcript, piece)
        return None

    def finish(self) -> Iterator[Transcript]:
        """All transcripts."""
        return self._pieces.transcripts(lambda name: (name, self._genes[name]))


def _value(attribute: re.Pattern[bytes], text: bytes) -> str:
    """Of an attribute; "" where it is not there."""
    match = attribute.search(text)
    return decode(match[1] or match[2] or b"") if match else ""
