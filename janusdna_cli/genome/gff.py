"""GFF3 (https://github.com/The-Sequence-Ontology/Specifications/blob/master/gff3.md), a line at a time.

Nine columns separated by tabs, 1-based and inclusive; the ninth is `name=value;name=value`.

- `exon` and `CDS` belong to the transcripts that `Parent` names, or without one to one that `ID` names.
- `CDS` may be a gene's own, as NCBI has it for bacteria: the gene is its transcript.
- Exons of a gene whose transcripts have exons of their own (RefSeqGene) are left out.
- Of a transcript without `exon` lines the coding lines are the exons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from janusdna_cli.genome.gathering import COLUMNS, PIECES, Gatherer, piece_of
from janusdna_cli.genome.streams import decode, excerpt
from janusdna_cli.genome.transcripts import Transcript

__all__ = ["GffReader"]

# What Ensembl and NCBI put before an ID.
_PREFIX = re.compile(r"^(transcript:|gene:|CDS:|rna-|gene-|cds-)")


class _Parent(NamedTuple):
    """A feature that others name as their parent: itself by name, and its own parent's ID."""

    name: str
    parent: str


class GffReader:
    """Lines of GFF3 to transcripts, all of which are known at the end."""

    def __init__(self) -> None:
        self._pieces = Gatherer()
        self._parents: dict[str, _Parent] = {}

    def add(self, fields: list[bytes]) -> Transcript | None:
        """Take a line's columns.

        Raises:
            ValueError: With what is wrong.
        """
        if len(fields) < COLUMNS:
            raise ValueError(f"found {len(fields)} columns, expected {COLUMNS} separated by tabs")
        attributes = _attributes(fields[8])
        if fields[2] in PIECES:
            self._add_piece(fields, attributes)
        elif "ID" in attributes:
            parent = attributes.get("Parent", "").split(",")[0]
            self._parents[attributes["ID"]] = _Parent(_name(attributes, is_gene=not parent), parent)
        return None

    def finish(self) -> Iterator[Transcript]:
        """All transcripts."""
        names = self._pieces.names()
        genes = {self._parents[name].parent for name in names if name in self._parents}
        with_transcripts = {
            gene for gene in genes if gene in self._parents and not self._parents[gene].parent
        }
        return self._pieces.transcripts(
            lambda identity: None if identity in with_transcripts else self._told(identity)
        )

    def _add_piece(self, fields: list[bytes], attributes: dict[str, str]) -> None:
        piece = piece_of(fields)
        owners = attributes.get("Parent") or attributes.get("ID")
        if not owners:
            raise ValueError(f"found {excerpt(fields[8])} in column 9, expected Parent=ID of a transcript")
        for owner in owners.split(","):
            self._pieces.add(owner, piece)

    def _told(self, identity: str) -> tuple[str, str]:
        """A transcript's name and its gene's."""
        found = self._parents.get(identity)
        if found is None:
            return (_bare(identity),) * 2
        gene = self._parents.get(found.parent)
        return found.name, gene.name if gene else _bare(found.parent) or found.name


def _attributes(text: bytes) -> dict[str, str]:
    """By name; commas of lists stay, other characters that were escaped come back."""
    pairs = (part.partition("=") for part in decode(text).split(";"))
    return {name.strip(): unquote(value.strip()) for name, equals, value in pairs if equals}


def _name(attributes: dict[str, str], *, is_gene: bool) -> str:
    """A gene's symbol, or a transcript's accession."""
    names = ("Name", "gene", "gene_id") if is_gene else ("transcript_id", "Name")
    return next((attributes[name] for name in names if attributes.get(name)), _bare(attributes["ID"]))


def _bare(identity: str) -> str:
    """An ID without what stands before the name."""
    return _PREFIX.sub("", identity)
