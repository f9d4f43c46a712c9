"""A region in, its nucleotide dependencies out.

region -> its window -> substitutions, read around -> a map -> table, array, picture
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from janusdna import MIN_LENGTH, tokens
from janusdna.reader import Model
from janusdna_cli.dependencies.dependency_map import DependencyMap
from janusdna_cli.dependencies.matrix import check_matrix, write_matrix
from janusdna_cli.dependencies.reading import read_dependencies
from janusdna_cli.dependencies.settings import LONGEST_REGION, SHORTEST_REGION, DependenciesSettings
from janusdna_cli.dependencies.table import SCHEMA, rows
from janusdna_cli.errors import InputError
from janusdna_cli.genome.bed import Region
from janusdna_cli.genome.checksums import Checksums
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.places import named_region
from janusdna_cli.genome.windows import Window, centered_window
from janusdna_cli.outputs.destinations import STDOUT, check_destination
from janusdna_cli.outputs.formats import Format, table_format
from janusdna_cli.outputs.names import default_output
from janusdna_cli.outputs.picture_formats import check_picture
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.reading.chunks import encode_window
from janusdna_cli.reading.opening import open_model, window_size
from janusdna_cli.reading.provenance import origin
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.runtime.progress import format_summary, progress

__all__ = ["map_dependencies"]

logger = logging.getLogger(__name__)


def map_dependencies(settings: DependenciesSettings) -> DependencyMap:
    """How the prediction of each base of a region depends on each other base, written as asked for.

    Source: Tomaz da Silva et al., Nature Genetics 2025, doi:10.1038/s41588-025-02347-3.

    Raises:
        InputError: If a file cannot be read or written, or the region is none that can be mapped.
        CheckpointError: If the model cannot be used.
    """
    outputs = _Outputs.of(settings)
    with Reference.open(settings.fasta) as reference, Checksums(reference) as checksums:
        region = named_region(settings.region, reference)
        contig = reference.find(region.chrom)
        assert contig is not None
        length = reference.lengths[contig]
        _check_region(settings, region, length)
        model = open_model(settings)
        window = _window(settings, model, region, contig, length)
        checksums.start(contig)
        started = time.monotonic()
        found = _read(settings, model, reference, region, window)
        facts = origin(
            settings, model, reference, len(window), command=sys.argv, contigs=checksums.result()
        ) | {"region": found.region, "window_start": window.start, "window_end": window.end}
        outputs.write(found, facts, overwrite=settings.overwrite)
    counts = Counter("ok" if code >= 0 else "non_acgt" for code in found.codes)
    seconds = time.monotonic() - started
    logger.info("%s", format_summary(counts, 0, 0, seconds, outputs.told, unit="bases"))
    return found


def _check_region(settings: DependenciesSettings, region: Region, contig_length: int) -> None:
    bases = region.end - region.start
    if not SHORTEST_REGION <= bases <= LONGEST_REGION:
        limits = f"expected {SHORTEST_REGION} to {LONGEST_REGION:,}"
        raise InputError(f"region {settings.region!r}: found {bases:,} bases, {limits}: map a part of it")
    if contig_length < MIN_LENGTH:
        problem = f"its contig has {contig_length} bases, expected {MIN_LENGTH} or more"
        raise InputError(f"region {settings.region!r}: {problem}")


def _window(
    settings: DependenciesSettings, model: Model, region: Region, contig: str, contig_length: int
) -> Window:
    """Centered on the region's middle."""
    size, bases = window_size(settings, model), region.end - region.start
    if bases > size:
        raise InputError(
            f"region {settings.region!r}: found {bases:,} bases, more than the window's {size:,}: map a "
            "part of it, or pass a longer --window"
        )
    return centered_window(contig, (region.start + region.end) // 2, size, contig_length)


def _read(
    settings: DependenciesSettings, model: Model, reference: Reference, region: Region, window: Window
) -> DependencyMap:
    ids = encode_window(reference, window)
    start, end = region.start - window.start, region.end - window.start
    own = ids[start:end]
    substitutions = 3 * int(tokens.is_base(own).sum())
    if not substitutions:
        raise InputError(f"region {settings.region!r}: none of its bases is A, C, G or T; map another")
    reader = WindowReader(model, batch_bp=settings.batch_bp)
    strands = BOTH_STRANDS if settings.both_strands else FORWARD
    with progress("Mapping", substitutions, "substitutions", quiet=settings.quiet) as bar:
        by_allele = read_dependencies(ids, start, end, strands, reader, bar)
    return DependencyMap(region.chrom, region.start, own, by_allele)


class _Outputs(NamedTuple):
    """What is written, and where."""

    table: tuple[str, Format] | None
    matrix: str | None
    plot: str | None

    @classmethod
    def of(cls, settings: DependenciesSettings) -> _Outputs:
        """Checked before any work."""
        table, overwrite = settings.output, settings.overwrite
        if table is None and settings.matrix is None and settings.plot is None:
            table = default_output(settings.fasta)
        form = None if table is None else table_format(table, settings.format, formats=settings.formats)
        if table is not None:
            check_destination(table, overwrite=overwrite)
        if settings.matrix is not None:
            check_matrix(settings.matrix, overwrite=overwrite)
        if settings.plot is not None:
            check_picture(settings.plot, overwrite=overwrite)
        return cls(None if table is None or form is None else (table, form), settings.matrix, settings.plot)

    @property
    def told(self) -> str:
        """Where all of it is."""
        places: Sequence[str | None] = (self.table and self.table[0], self.matrix, self.plot)
        return ", ".join("standard output" if place == STDOUT else place for place in places if place)

    def write(self, found: DependencyMap, metadata: Mapping[str, Any], *, overwrite: bool) -> None:
        if self.table is not None:
            with open_table(
                self.table[0], SCHEMA, self.table[1], overwrite=overwrite, metadata=metadata
            ) as table:
                for columns in rows(found):
                    table.write(columns)
        if self.matrix is not None:
            write_matrix(found, self.matrix, metadata, overwrite=overwrite)
        if self.plot is not None:
            from janusdna_cli.dependencies.picture import draw_dependencies

            draw_dependencies(found, self.plot)
