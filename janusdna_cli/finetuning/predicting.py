"""Sequences in, what a fine-tuned model tells of them out.

input -> items -> chunks -> batches of equal length -> outputs -> rows
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from janusdna import MIN_LENGTH, tokens
from janusdna.errors import SequenceError
from janusdna_cli.finetuning.batches import encoded
from janusdna_cli.finetuning.label_model import Answers, LabelModel, LabelReader, Pair
from janusdna_cli.finetuning.predicting_settings import PredictSettings
from janusdna_cli.finetuning.predictions import key_fields, prediction_fields, predictions
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.labelled.item import Item
from janusdna_cli.labelled.opening import Source, kind_of, open_items
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.schemas import described
from janusdna_cli.outputs.tables import as_table
from janusdna_cli.reading.chunks import Chunk, Load, in_chunks
from janusdna_cli.reading.settings import FALLBACK_WINDOW, LONGEST_WINDOW
from janusdna_cli.runs.finishing import Outgoing
from janusdna_cli.runs.job import Done
from janusdna_cli.runs.running import run
from janusdna_cli.runs.target import Target
from janusdna_cli.runtime.summary import Summary

__all__ = ["PredictSettings", "predict"]


class _Asked(NamedTuple):
    """An item, why it cannot be read or "ok", and its token ids where it can."""

    item: Item
    status: str
    pair: Pair | None


def predict(settings: PredictSettings) -> Summary:
    """Tell the labels of every sequence of an input, and write the table.

    Raises:
        InputError: If a file cannot be read or written.
        CheckpointError: If the model cannot be used.
    """
    return run(Predicting.opened, settings, settings.input)


class Predicting:
    """`predict` as a job: its units are sequences.

    Args:
        settings: Of the run.
        reference: The genome; None where the input has the bases.
    """

    command = "predict"
    doing = "Predicting"
    unit = "sequences"
    header = None

    def __init__(self, settings: PredictSettings, reference: Reference | None) -> None:
        self.settings = settings
        self.source = settings.input
        self.reference = reference
        self._model = LabelModel(settings)
        self.model = self._model.backbone
        task, config = self._model.task, self.model.config
        self.window = task.window or task.pad_to or config.trained_length or FALLBACK_WINDOW
        self._kind = kind_of(settings.input)
        self.schema = pa.schema(
            [
                *key_fields(self._kind),
                described("status", pa.string(), "ok, or why nothing is told", nullable=False),
                *prediction_fields(task),
            ]
        )

    @classmethod
    @contextmanager
    def opened(cls, settings: PredictSettings, target: Target | None = None) -> Iterator[Predicting]:
        """The job of some settings, with its files open.

        Args:
            settings: Of the run.
            target: Where its table goes: all formats take the same rows.

        Raises:
            InputError: If a file cannot be read.
            CheckpointError: If the model cannot be used.
        """
        with nullcontext() if settings.fasta is None else Reference.open(settings.fasta) as reference:
            yield cls(settings, reference)

    def options(self) -> Mapping[str, Any]:
        """What changes its numbers besides the model, the window and the inputs."""
        return {"head": self._model.sha256}

    def facts(self) -> Mapping[str, Any]:
        """What the table's metadata say besides where it comes from."""
        task = self._model.task
        return {"head": self._model.sha256, "task": task.kind, "labels": list(task.labels)}

    def reader(self, on_batch: Callable[[int, int], None]) -> LabelReader:
        """Who answers what is asked."""
        return LabelReader(self._model, self.settings.batch_bp, on_batch)

    def again(self, threads: int) -> Callable[[], AbstractContextManager[Predicting]]:
        """What opens this job in another process."""
        return partial(Predicting.opened, dataclasses.replace(self.settings, threads=threads, quiet=True))

    def outgoing(self, rows: Iterable[pa.Table], form: Format) -> AbstractContextManager[Outgoing]:
        """The table, which is the same in all formats."""
        return nullcontext(Outgoing(self.schema, rows))

    def watched(self, rows: pa.Table) -> pa.Table:
        """Rows of the table on their way out."""
        return rows

    def warn(self) -> None:
        """Nothing: the summary counts what could not be read."""

    def survey(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks, before it is begun."""
        return self.chunks(bases)

    def chunks(self, bases: float) -> Iterator[Chunk[Any]]:
        """All of the work, in chunks."""
        source = Source(
            path=self.source, genome=self.reference, labelled=False, window=self._model.task.window or 0
        )
        return in_chunks(map(self._asked, open_items(source)), self._load, bases)

    def done(self, chunks: Iterable[Chunk[Any]], reader: LabelReader) -> Iterator[Done]:
        """Do some of the chunks, in their order."""
        for chunk in chunks:
            asked: list[_Asked] = chunk.items
            answers = reader.tell([each.pair for each in asked if each.pair is not None])
            rows = as_table(self._columns(asked, answers), self.schema)
            yield Done(chunk, rows, self._contigs(asked))

    def _asked(self, item: Item) -> _Asked:
        """An item, with its token ids where it can be read."""
        if item.status != "ok":
            return _Asked(item, item.status, None)
        task = self._model.task
        sides = (item.sequence, item.alternative) if task.pairs else (item.sequence,)
        for side in sides:
            if side is None or len(side) < MIN_LENGTH:
                return _Asked(item, "too_short", None)
            if task.pad_to is None and len(side) > LONGEST_WINDOW:
                return _Asked(item, "too_long", None)
        try:
            ids, *others = (encoded(side or "", task.pad_to) for side in sides)
        except SequenceError:
            return _Asked(item, "not_nucleotides", None)
        if not tokens.is_base(ids).any():
            return _Asked(item, "non_acgt", None)
        return _Asked(item, "ok", (ids, others[0] if others else None))

    def _load(self, asked: _Asked) -> Load:
        if asked.pair is None:
            return Load(1, 0, 0)
        ids, other = asked.pair
        length = len(ids) + (0 if other is None else len(other))
        strands = 1 if self._model.task.strands == "none" else 2
        return Load(1, strands * length, 4 * length)

    def _columns(self, asked: list[_Asked], answers: Answers) -> dict[str, Any]:
        task = self._model.task
        is_read = np.array([each.pair is not None for each in asked], bool)
        values, outputs = (np.full((len(asked), task.outputs), np.nan) for _ in range(2))
        values[is_read], outputs[is_read] = answers.values, answers.outputs
        keys = {
            field.name: [each.item.keys[field.name] for each in asked] for field in key_fields(self._kind)
        }
        return keys | {"status": [each.status for each in asked]} | predictions(task, values, outputs)

    def _contigs(self, asked: list[_Asked]) -> set[str]:
        if self.reference is None:
            return set()
        named = {each.item.contig for each in asked if each.pair is not None and each.item.contig}
        return {contig for name in named if (contig := self.reference.find(name)) is not None}
