"""A job whose units are kept as they are done, until the output of all of them has its name."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

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
from janusdna_cli.runs.target import Target
from janusdna_cli.runs.units import Survey
from janusdna_cli.runs.work import work
from janusdna_cli.runtime.progress import progress
from janusdna_cli.runtime.summary import Summary

__all__ = ["run_kept"]

_SAME_AGAIN = "pass the same again, or --overwrite to start anew"

logger = logging.getLogger(__name__)


def run_kept(job: Job, target: Target, bases: float) -> Summary:
    """Do all of a job, or its shard, or what is left of it.

    Args:
        job: The task.
        target: Where its table goes.
        bases: Cost of a unit of work.

    Raises:
        InputError: If a file cannot be read or written, or what is there is of another run.
    """
    return _Kept(job, target, bases).run()


class _Kept:
    def __init__(self, job: Job, target: Target, bases: float) -> None:
        self.job = job
        self.settings = job.settings
        self.target = target
        self.bases = bases
        self.summary = Summary(target.path, job.unit)

    def run(self) -> Summary:
        folder = RunFolder.beside(self.target.path)
        identity = self._identity()
        if self.settings.resume and not folder.exists and Path(self.target.path).exists():
            check_complete(self.target.path, self.target.form, identity)
            folder.clear()
            logger.info("%s: is complete; nothing is left to do", self.target.path)
            return self.summary
        source = str(Path(self.job.source).resolve())
        facts = {"command": sys.argv, "source": source, "identity": identity}
        with folder.opened(facts, resume=self.settings.resume, overwrite=self.settings.overwrite):
            survey = Survey.of(self.job.survey(self.bases))
            shard = self.target.shard
            mine = survey.share(shard.index - 1, shard.count) if shard else set(range(len(survey.costs)))
            self._work(folder, survey, mine)
            self._write(folder, survey)
        self.job.warn()
        return self.summary.finish(self.summary.windows, self.summary.bases)

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
        rows, total = survey.rows_of(mine & done), survey.rows_of(mine)
        if done:
            logger.info("going on: %s of %s %s are done", f"{rows:,}", f"{total:,}", self.job.unit)
        with progress(self.job.doing, total, self.job.unit, quiet=self.settings.quiet) as bar:
            bar.advance(rows)

            def advance(rows: int, windows: int, bases: int) -> None:
                self.summary.windows += windows
                self.summary.bases += bases
                bar.advance(rows, bases)

            if left := mine - done:
                work(self.job, folder, self.bases, left.__contains__, advance)

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
        now = {contig: self.job.reference.md5(contig) for contig, md5 in contigs.items() if md5 is not None}
        before = {contig: contigs[contig] for contig in now}
        check_same({"md5 of": before}, {"md5 of": now}, place=str(folder.path), fix=_SAME_AGAIN)
        return done

    def _write(self, folder: RunFolder, survey: Survey) -> None:
        """Give the output its name."""
        entries = list(folder.entries())
        contigs = {name: md5 for entry, _ in entries for name, md5 in entry.contigs.items()}
        shard, total = self.target.shard, sum(survey.rows)
        blocks = in_order([rows for _, rows in entries], 0, total, is_whole=shard is None)
        write_table(
            self.target,
            self.job.schema,
            self.summary.counted(map(self.job.watched, blocks)),
            self._metadata(folder, contigs) | (part_facts(shard, total, folder.facts) if shard else {}),
            overwrite=self.settings.overwrite or self.settings.resume,
            folder=folder.path,
        )

    def _metadata(self, folder: RunFolder, contigs: dict[str, str | None]) -> dict[str, Any]:
        job, facts = self.job, folder.facts
        found = origin(
            job.settings, job.model, job.reference, job.window,
            command=facts["command"], contigs=dict(sorted(contigs.items())),
        )  # fmt: skip
        return found | dict(job.facts()) | {"run": facts["identity"]}
