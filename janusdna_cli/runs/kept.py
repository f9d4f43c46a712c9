"""A job whose units are kept as they are done, until the output of all of them has its name."""

from __future__ import annotations

import json
import logging
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

import janusdna
from janusdna_cli.outputs.parquet import as_json
from janusdna_cli.outputs.schemas import SCHEMA_VERSION
from janusdna_cli.reading.provenance import origin
from janusdna_cli.runs.finishing import write_table
from janusdna_cli.runs.folder import RunFolder
from janusdna_cli.runs.identity import check_same, digest_of_lengths, file_identity
from janusdna_cli.runs.job import Job
from janusdna_cli.runs.parts import check_complete, part_facts
from janusdna_cli.runs.rows import in_order
from janusdna_cli.runs.shards import Shard
from janusdna_cli.runs.target import Target
from janusdna_cli.runs.units import Survey
from janusdna_cli.runs.work import Advance, work
from janusdna_cli.runs.workers import work_beside, worker_count
from janusdna_cli.runtime.progress import progress
from janusdna_cli.runtime.ranks import Ranks
from janusdna_cli.runtime.summary import Summary

__all__ = ["run_kept"]

_SAME_AGAIN = "pass the same again, or --overwrite to start anew"

logger = logging.getLogger(__name__)


def run_kept(job: Job[Any], target: Target, bases: float, ranks: Ranks) -> Summary:
    """Do all of a job, or its shard, or what is left of it.

    Args:
        job: The task.
        target: Where its table goes.
        bases: Cost of a unit of work.
        ranks: This process among those that `torchrun` started.

    Raises:
        InputError: If a file cannot be read or written, or what is there is of another run.
    """
    return _Kept(job, target, bases, ranks).run()


class _Kept:
    def __init__(self, job: Job[Any], target: Target, bases: float, ranks: Ranks) -> None:
        self.job = job
        self.settings = job.settings
        self.target = target
        self.bases = bases
        self.ranks = ranks
        self.summary = Summary(target.path, job.unit)

    def run(self) -> Summary:
        folder = RunFolder.beside(self.target.path)
        identity = self._identity()
        if self.settings.resume and not folder.exists and Path(self.target.path).exists():
            check_complete(self.target.path, self.target.form, identity)
            folder.clear()
            logger.info("%s: is complete; nothing is left to do", self.target.path)
            return self.summary
        reference = self.job.reference
        facts = {
            "command": sys.argv,
            "source": str(Path(self.job.source).resolve()),
            "reference": None if reference is None else str(Path(reference.path).resolve()),
            "identity": identity,
        }
        with self._opened(folder, facts):
            survey = Survey.of(self.job.survey(self.bases))
            mine = survey.units
            if shard := self.target.shard:
                mine = survey.share(mine, shard.index - 1, shard.count)
            self._work(folder, survey, mine)
            if self.target.is_split:
                self._write_split(folder, survey)
            elif self.ranks.is_first:
                rows = self._rows(folder, 0, sum(survey.rows))
                self._write(folder, survey, self.target, self._noted(rows))
        if not self.ranks.is_first:
            return self.summary
        self.job.warn()
        return self.summary.finish(self.summary.windows, self.summary.bases)

    @contextmanager
    def _opened(self, folder: RunFolder, facts: dict[str, Any]) -> Iterator[None]:
        """The folder, there for all processes of the run, kept by the first."""
        with ExitStack() as stack:
            if self.ranks.is_first:
                settings = self.settings
                stack.enter_context(
                    folder.opened(facts, resume=settings.resume, overwrite=settings.overwrite)
                )
            self.ranks.meet()
            yield

    def _identity(self) -> dict[str, Any]:
        """Whatever changes a number of the table, as its metadata will tell it."""
        job, info = self.job, self.job.model.info
        identity = {
            "command": job.command,
            "version": janusdna.__version__,
            "schema": SCHEMA_VERSION,
            "input": file_identity(job.source),
            "reference": digest_of_lengths(job.reference),
            "model": info.sha256,
            "--window": job.window,
            "--rc": self.settings.both_strands,
            **job.options(),
            "device": info.device.partition(":")[0],
            "--dtype": info.dtype,
            "--kv-dtype": info.kv_dtype,
            "kernels": info.kernels,
            "--batch-bp": self.settings.batch_bp,
            "unit": self.bases,
        }
        found: dict[str, Any] = json.loads(as_json(identity))
        return found

    def _work(self, folder: RunFolder, survey: Survey, mine: set[int]) -> None:
        """Do what is not done."""
        done = self._done(folder)
        self.ranks.meet()  # nobody adds to what another one still reads
        rows, total = survey.rows_of(mine & done), survey.rows_of(mine)
        if done:
            logger.info("going on: %s of %s %s are done", f"{rows:,}", f"{total:,}", self.job.unit)
        with progress(self.job.doing, total, self.job.unit, quiet=self.settings.quiet) as bar:
            bar.advance(rows)

            def advance(rows: int, windows: int, bases: int) -> None:
                self.summary.windows += windows
                self.summary.bases += bases
                bar.advance(rows, bases)

            units = survey.share(mine - done, self.ranks.rank, self.ranks.count)
            self._share(folder, units, advance)
        self._add_up()

    def _share(self, folder: RunFolder, units: set[int], advance: Advance) -> None:
        """Do some units, by this process or together with workers."""
        if not units:
            return
        count = min(worker_count(self.job, self.ranks), len(units))
        if count > 1:
            work_beside(self.job, folder, self.bases, units, count, advance)
        else:
            work(self.job, folder, self.bases, units.__contains__, advance)

    def _add_up(self) -> None:
        """What all processes read, once all are done."""
        read = torch.tensor([self.summary.windows, self.summary.bases], dtype=torch.int64)
        self.summary.windows, self.summary.bases = map(int, self.ranks.total(read))

    def _done(self, folder: RunFolder) -> set[int]:
        """Units that are done, read from the reference that is here.

        Raises:
            InputError: If it is another one.
        """
        done: set[int] = set()
        contigs: dict[str, str | None] = {}
        for entry, _ in folder.entries():
            done.update(entry.units)
            contigs |= entry.contigs
        reference = self.job.reference
        known = [contig for contig, md5 in contigs.items() if md5 is not None]
        now = {contig: reference.md5(contig) for contig in known} if reference is not None else {}
        before = {contig: contigs[contig] for contig in now}
        check_same({"md5 of": before}, {"md5 of": now}, place=str(folder.path), fix=_SAME_AGAIN)
        return done

    def _write_split(self, folder: RunFolder, survey: Survey) -> None:
        """Give a part of the table its name, as each process does."""
        rank, count, total = self.ranks.rank, self.ranks.count, sum(survey.rows)
        start, end = rank * total // count, (rank + 1) * total // count
        target = self.target.part(Shard(rank + 1, count))
        self._write(folder, survey, target, self._rows(folder, start, end))
        if self.ranks.is_first:
            deque(self._noted(self._rows(folder, 0, total)), maxlen=0)
        self.ranks.meet()

    def _rows(self, folder: RunFolder, start: int, end: int) -> Iterator[pa.Table]:
        """Rows [start, end) of the table, or those of them that are a shard's, with their numbers."""
        parts = [rows for _, rows in folder.entries()]
        return in_order(parts, start, end, is_whole=self.target.shard is None)

    def _noted(self, rows: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Rows on their way out, for what is said at the end of the run."""
        return self.summary.counted(map(self.job.watched, rows))

    def _write(self, folder: RunFolder, survey: Survey, target: Target, rows: Iterable[pa.Table]) -> None:
        """Give the output its name."""
        contigs = {name: md5 for entry, _ in folder.entries() for name, md5 in entry.contigs.items()}
        shard = target.shard
        part = part_facts(shard, sum(survey.rows), folder.read_facts()) if shard else {}
        metadata = self._metadata(folder, contigs) | part
        overwrite = self.settings.overwrite or self.settings.resume
        with self.job.outgoing(rows, target.form) as table:
            write_table(target, table, metadata, overwrite=overwrite, place=folder.path)

    def _metadata(self, folder: RunFolder, contigs: dict[str, str | None]) -> dict[str, Any]:
        job, facts = self.job, folder.read_facts()
        found = origin(
            job.settings, job.model, job.reference, job.window,
            command=facts["command"], contigs=dict(sorted(contigs.items())),
        )  # fmt: skip
        return found | dict(job.facts()) | {"run": facts["identity"]}
