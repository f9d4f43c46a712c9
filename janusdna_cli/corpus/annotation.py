"""The genes of genomes: where on each contig which kinds are."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from janusdna_cli.corpus.codes import Mask
from janusdna_cli.corpus.kinds import TRANSCRIBED, Kind, stretches
from janusdna_cli.corpus.stretches import Stretches
from janusdna_cli.errors import InputError
from janusdna_cli.genome.contigs import ContigNames
from janusdna_cli.genome.genes import read_transcripts
from janusdna_cli.genome.genomes import GenomeFile, Genomes
from janusdna_cli.genome.streams import input_name
from janusdna_cli.genome.transcripts import Transcript

__all__ = ["Annotation", "read_annotation"]

_log = logging.getLogger("janusdna")


class Annotation:
    """Which kinds the genes give to which stretches.

    Attributes:
        genomes: Names of the genomes that have genes.
    """

    def __init__(self) -> None:
        self.genomes: set[str] = set()
        self._stretches: dict[str, dict[Kind, Stretches]] = {}

    @property
    def contigs(self) -> Collection[str]:
        """Those with a transcript."""
        return self._stretches.keys()

    def add(self, transcript: Transcript, contig: str, length: int) -> None:
        """Add a transcript that lies on a contig of so many bases, of which nothing reaches outside."""
        own = self._stretches.setdefault(contig, {kind: Stretches() for kind in TRANSCRIBED})
        for kind, start, end in stretches(transcript):
            own[kind].add(max(start, 0), min(end, length))

    def mask(self, kind: Kind, contig: str, start: int, end: int) -> Mask:
        """The bases of [start, end) in a stretch of a kind, 0-based, (end - start,)."""
        if contig not in self._stretches:
            return np.zeros(end - start, bool)
        return self._stretches[contig][kind].mask(start, end)


def read_annotation(files: Sequence[GenomeFile], genomes: Genomes) -> Annotation:
    """Read files of genes, each of a genome.

    A transcript on a contig that the genome lacks, or that reaches outside of its contig, is left out; one
    warning a file tells of the former, another of the latter.

    Raises:
        InputError: A file is of no genome that there is, cannot be read, or has no transcript on it.
    """
    annotation = Annotation()
    for file in files:
        own = [contig for contig, name in genomes.genomes.items() if name == file.name]
        if not own:
            raise _of_no_genome(file, genomes)
        _add(annotation, file, {genomes.own_name(contig): contig for contig in own}, genomes.lengths)
        annotation.genomes.add(file.name)
    return annotation


def _of_no_genome(file: GenomeFile, genomes: Genomes) -> InputError:
    names = ", ".join(sorted(filter(None, set(genomes.genomes.values()))))
    if not names:
        return InputError(
            f"--genes: found a genome {file.name}, expected a file alone, as --fasta has no names"
        )
    found = f"a genome {file.name}" if file.name else f"{file.path} without its genome"
    return InputError(f"--genes: found {found}, expected NAME=FILE with a name that --fasta has: {names}")


def _add(
    annotation: Annotation, file: GenomeFile, contigs: Mapping[str, str], lengths: Mapping[str, int]
) -> None:
    """Add a file of genes; contigs are the full names by the FASTA's own."""
    seen = _Seen(file.path, ContigNames(contigs))
    for transcript in read_transcripts(file.path):
        own = seen.find(transcript)
        if own is None:
            continue
        contig = contigs[own]
        if transcript.end > lengths[contig]:
            seen.note_outside(transcript, lengths[contig])
        else:
            annotation.add(transcript, contig, lengths[contig])
            seen.kept += 1
    seen.tell(f"the genome {file.name}" if file.name else "the FASTA")


class _Seen:
    """What became of the transcripts of one file."""

    def __init__(self, source: str, names: ContigNames) -> None:
        self._source = input_name(source)
        self._names = names
        self._cache: dict[str, str | None] = {}
        self._unknown = self._outside = self.kept = 0
        self._example = self._first_outside = ""

    def find(self, transcript: Transcript) -> str | None:
        """The FASTA's own name of a transcript's contig."""
        name = transcript.contig
        if name not in self._cache:
            self._cache[name] = self._names.find(name)
        if self._cache[name] is None:
            self._unknown += 1
            self._example = self._example or name
        return self._cache[name]

    def note_outside(self, transcript: Transcript, length: int) -> None:
        """Note one that reaches outside of its contig."""
        self._outside += 1
        place = f"{transcript.name} on {transcript.contig}:{transcript.start}-{transcript.end}"
        self._first_outside = self._first_outside or f"{place}, which has {length:,} bases"

    def tell(self, whose: str) -> None:
        """Warn of what was left out.

        Raises:
            InputError: Nothing was kept.
        """
        total = self.kept + self._unknown + self._outside
        hint = self._names.hint(self._example) if self._example else None
        lacking = f"{whose} has no contig {self._example!r}" + (f", {hint}" if hint else "")
        if self._unknown == total:
            raise InputError(
                f"{self._source}: none of its {total:,} transcripts lies on a contig of {whose}: {lacking}; "
                "pass the genes of this assembly"
            )
        if self._unknown:
            _log.warning(
                "%s: %s of its %s transcripts are left out: %s",
                self._source, f"{self._unknown:,}", f"{total:,}", lacking,
            )  # fmt: skip
        if self._outside:
            _log.warning(
                "%s: %s of its %s transcripts reach outside of their contigs and are left out, "
                "the first is %s: are the genes of this assembly?",
                self._source, f"{self._outside:,}", f"{total:,}", self._first_outside,
            )  # fmt: skip
