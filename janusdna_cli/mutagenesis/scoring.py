"""Regions in, a row of scores for each change of each of their bases out.

regions -> stretches (a window and what to read in it) -> chunks -> questions -> answers -> rows
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from janusdna import tokens
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.places import asked_regions, named_region
from janusdna_cli.genome.windows import Window
from janusdna_cli.mutagenesis.alleles import row_count
from janusdna_cli.mutagenesis.questions import Asking, StretchQuestion, outside_row
from janusdna_cli.mutagenesis.records import as_made_records, made_header, with_made_records
from janusdna_cli.mutagenesis.settings import MutagenesisSettings
from janusdna_cli.outputs.formats import Format
from janusdna_cli.reading.chunks import ATTENDED_BASES, Chunk, Load, answered, encode_window, in_chunks
from janusdna_cli.reading.opening import open_model, window_size
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD, Request
from janusdna_cli.reading.stretches import RegionsOutside, Stretch, stretches
from janusdna_cli.reading.survey import unannounced
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.runs.finishing import Outgoing
from janusdna_cli.runs.job import Done
from janusdna_cli.runs.running import run
from janusdna_cli.runs.target import Target
from janusdna_cli.runtime.summary import Summary
from janusdna_cli.variants.annotation import annotation_schema
from janusdna_cli.variants.loads import AlleleLoads
from janusdna_cli.variants.percentiles import PercentilesSeen, background_of, provenance_of
from janusdna_cli.variants.questions import WindowQuestion
from janusdna_cli.variants.table import VARIANT_SCHEMA

if TYPE_CHECKING:
    from janusdna_cli.mutagenesis.plotting import Map

__all__ = ["MutagenesisSettings", "score_every_allele"]

# What is read at once: enough for the middle half of a long window, in bounded memory.
_MOST_BASES = 65_536
_MOST_BYTES = 64 << 20
_ROW_BYTES = 128


def score_every_allele(settings: MutagenesisSettings) -> Summary:
    """Score all changes of every base of regions, or of a genome, and write the table.

    Raises:
        InputError: If a file cannot be read or written, or a named region is not in the genome.
        CheckpointError: If the model cannot be used.
    """
    return run(Mutagenesis.opened, settings, settings.regions or settings.fasta)


class _Asked(NamedTuple):
    """A chunk of work, a question for each of its stretches that is read, and the windows that are."""

    chunk: Chunk[Stretch]
    questions: list[StretchQuestion | None]
    requests: dict[Window, tuple[WindowQuestion, Request]]


class _Windows(dict[Window, WindowQuestion]):
    """What is asked of each window."""

    def __missing__(self, window: Window) -> WindowQuestion:
        return self.setdefault(window, WindowQuestion(window))


class Mutagenesis:
    """`mutagenesis` as a job: its units are windows.

    Args:
        settings: Of the run.
        reference: The genome.
        target: Where its table goes; None where another process writes it.
    """

    command = "mutagenesis"
    doing = "Scoring"
    unit = "alleles"

    def __init__(
        self, settings: MutagenesisSettings, reference: Reference, target: Target | None = None
    ) -> None:
        self.settings = settings
        self.source = settings.regions or settings.fasta
        self.reference = reference
        for name in settings.region:  # before anything is loaded
            named_region(name, reference)
        self.map = self._map(target) if settings.plot and target else None
        self.model = open_model(settings)
        self.window = window_size(settings, self.model)
        is_record = target is not None and target.form in (Format.vcf, Format.bcf) and not target.is_kept
        self.header = made_header(reference) if is_record else None
        self.background = background_of(settings, self.model, self.window)
        self.schema = VARIANT_SCHEMA
        if is_record:
            self.schema = annotation_schema(settings.scores, with_percentiles=self.background is not None)
        self._strands = BOTH_STRANDS if settings.both_strands else FORWARD
        self._asking = Asking(
            self.window,
            settings.context,
            settings.scores,
            settings.span,
            settings.deletions,
            self.background,
        )
        self._loads = AlleleLoads(
            self.window,
            len(self._strands),
            settings.scores,
            settings.span,
            self.model.config.hidden_size,
        )
        self._outside = RegionsOutside(self.source)
        self._percentiles_seen = PercentilesSeen(self.background)

    @classmethod
    @contextmanager
    def opened(cls, settings: MutagenesisSettings, target: Target | None = None) -> Iterator[Mutagenesis]:
        """The job of some settings, with its files open; its picture is drawn when all is done.

        Args:
            settings: Of the run.
            target: Where its table goes; None where another process writes it.

        Raises:
            InputError: If a file cannot be read.
            CheckpointError: If the model cannot be used.
        """
        with Reference.open(settings.fasta) as reference:
            job = cls(settings, reference, target)
            yield job
            if job.map is not None:
                job.map.draw()

    def options(self) -> Mapping[str, Any]:
        """What changes its numbers besides the model, the window and the inputs."""
        named = {"--region": list(self.settings.region), "regions of": Path(self.settings.fasta).name}
        return named | {f"--{name}": value for name, value in self.facts().items()}

    def facts(self) -> Mapping[str, Any]:
        """What the table's metadata say besides where it comes from."""
        settings = self.settings
        scores = "default" if settings.scores is None else list(settings.scores)
        names = ("span", "context", "deletions")
        facts = {"scores": scores} | {name: getattr(settings, name) for name in names}
        return facts | provenance_of(self.background)

    def reader(self, on_batch: Callable[[int, int], None]) -> WindowReader:
        """Who answers what is asked."""
        return WindowReader(self.model, batch_bp=self.settings.batch_bp, on_batch=on_batch)

    def again(self, threads: int) -> Callable[[], AbstractContextManager[Mutagenesis]]:
        """What opens this job in another process."""
        background = "none" if self.background is None else self.background.path
        settings = replace(self.settings, threads=threads, quiet=True, plot=None, background=background)
        return partial(Mutagenesis.opened, settings)

    def outgoing(self, rows: Iterable[pa.Table], form: Format) -> AbstractContextManager[Outgoing]:
        """The table as a format takes it."""
        if form not in (Format.vcf, Format.bcf):
            return nullcontext(Outgoing(self.schema, rows))
        is_told = self.background is not None
        return nullcontext(
            as_made_records(rows, self.reference, self.settings.scores, with_percentiles=is_told)
        )

    def watched(self, rows: pa.Table) -> pa.Table:
        """Rows of the table on their way out."""
        self._outside.add(rows)
        self._percentiles_seen.add(rows)
        if self.map is not None:
            self.map.add(rows)
        return rows if self.header is None else with_made_records(rows)

    def warn(self) -> None:
        """Say which regions cannot be read, and of how many alleles a background tells nothing."""
        self._outside.warn()
        self._percentiles_seen.warn()

    def survey(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks, before it is begun.

        Raises:
            RecordError: If a line is no region.
            InputError: If a region is not in the genome, or the reference cannot be read.
        """
        with unannounced():
            yield from self.chunks(bases)

    def chunks(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks."""
        found = stretches(
            self._regions(), self.reference, self.window, self.settings.context, self._bases_at_once()
        )
        return in_chunks(found, self._load, bases)

    def done(self, chunks: Iterable[Chunk[Any]], reader: WindowReader) -> Iterator[Done]:
        """Do some of the chunks, in their order."""
        asking = map(self._ask, chunks)
        requested = ((asked, [request for _, request in asked.requests.values()]) for asked in asking)
        for asked, answers in answered(requested, reader):
            found = {window: answers[request] for window, (_, request) in asked.requests.items()}
            values = {window: each.values(found[window]) for window, (each, _) in asked.requests.items()}
            tables = [
                outside_row(stretch)
                if question is None
                else question.rows(found.get(question.window), values)
                for stretch, question in zip(asked.chunk.items, asked.questions, strict=True)
            ]
            yield Done(asked.chunk, pa.concat_tables(tables), {window.contig for window in found})

    def _map(self, target: Target) -> Map:
        """Of the rows; matplotlib is loaded where a picture is asked for."""
        from janusdna_cli.mutagenesis.plotting import Map

        return Map.of(self.settings, self._regions(), target)

    def _regions(self) -> Iterator[Any]:
        return asked_regions(self.reference, self.settings.region, self.settings.regions)

    def _bases_at_once(self) -> int:
        rows = 3 + self.settings.deletions
        one = self._loads.of_positions(rows, rows * _ROW_BYTES, 1, self._around(1)).bytes - 2 * self.window
        return max(1, min(_MOST_BASES, _MOST_BYTES // one))

    def _around(self, known: int) -> int:
        """Positions that are read around alleles which are asked about one by one."""
        haplotypes = 3 * bool(self._asking.one_by_one) + self.settings.deletions
        return known * haplotypes * 2 * (2 * self.settings.span + 1)

    def _load(self, stretch: Stretch) -> Load:
        if stretch.window is None:
            return Load(1, 0, 0)
        ids = encode_window(self.reference, Window(stretch.chrom, stretch.start, stretch.end))
        rows, known = row_count(ids, deletions=self.settings.deletions), int(tokens.is_base(ids).sum())
        load = self._loads.of_positions(rows, rows * _ROW_BYTES, known, self._around(known))
        attending = len(self._strands) * known * self.window / ATTENDED_BASES
        return load + Load(0, attending, 0)

    def _ask(self, chunk: Chunk[Stretch]) -> _Asked:
        """What to read for the alleles of a chunk: those of one window share its reading."""
        questions = [
            self._asking.about(stretch, stretch.window, self.reference) if stretch.window else None
            for stretch in chunk.items
        ]
        windows = _Windows()
        for question in filter(None, questions):
            if len(question.known):
                windows[question.window].sites.append(question.sites)
            for each in question.one_by_one.values():
                windows[each.window].alleles.setdefault(each.placed.allele, each)
        requests = {
            window: (each, each.request(self.reference, self._strands)) for window, each in windows.items()
        }
        return _Asked(chunk, questions, requests)
