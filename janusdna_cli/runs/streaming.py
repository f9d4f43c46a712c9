"""A job from or to a stream: rows go out as soon as all before them have; nothing can be taken up again."""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from janusdna_cli.genome.checksums import Checksums
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.tables import open_table
from janusdna_cli.reading.provenance import origin
from janusdna_cli.reading.survey import is_seekable
from janusdna_cli.runs.job import Job
from janusdna_cli.runs.journal import Entry, Journal, read_journal
from janusdna_cli.runs.rows import NUMBER, InOrder, Rows
from janusdna_cli.runs.target import Target
from janusdna_cli.runs.units import Survey
from janusdna_cli.runtime.progress import progress
from janusdna_cli.runtime.summary import Summary

__all__ = ["run_streamed"]


def run_streamed(job: Job[Any], target: Target, bases: float) -> Summary:
    """Do all of a job.

    Args:
        job: The task.
        target: Where its table goes.
        bases: Cost of a unit of work.

    Raises:
        InputError: If a file cannot be read or written.
    """
    summary = Summary(target.path, job.unit)
    total = sum(Survey.of(job.survey(bases)).rows) if is_seekable(job.source) else None
    # What begins with the metadata is written before anything is read.
    is_hashed = target.form is not Format.tsv and job.header is None

    def metadata() -> dict[str, Any]:
        contigs = dict(sorted(checksums.result().items()))
        found = origin(job.settings, job.model, job.reference, job.window, command=sys.argv, contigs=contigs)
        return found | dict(job.facts())

    with (
        Checksums(job.reference) as checksums,
        open_table(
            target.path,
            job.schema,
            target.form,
            overwrite=job.settings.overwrite,
            metadata=metadata,
            records=job.header,
            contigs={} if job.reference is None else job.reference.lengths,
        ) as table,
        tempfile.TemporaryDirectory() as folder,
        Journal(Path(folder) / "waiting", is_lasting=False) as spilled,
        progress(job.doing, total, job.unit, quiet=job.settings.quiet) as bar,
    ):
        reader = job.reader(lambda windows, bases: bar.advance(0, bases))
        order = InOrder(lambda rows: spill(spilled, rows))
        for done in job.done(job.chunks(bases), reader):
            for contig in done.contigs if is_hashed else ():
                checksums.start(contig)
            bar.advance(done.chunk.load.rows)
            for rows in summary.counted(order.add(done.numbered_rows())):
                table.write_table(job.watched(rows).drop_columns([NUMBER]))
        job.warn()
    return summary.finish(reader.windows, reader.bases)


def spill(journal: Journal, rows: pa.Table) -> Rows:
    start = journal.add(Entry(()), rows)
    [(_, kept)] = itertools.islice(read_journal(journal.path, start), 1)
    return kept
