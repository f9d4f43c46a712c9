"""What is learned from and tested on: items read, checked and split, before any training."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from janusdna import MIN_LENGTH
from janusdna.errors import SequenceError
from janusdna.labels import LabelTask
from janusdna_cli.errors import InputError
from janusdna_cli.finetuning.batches import Dataset, encoded
from janusdna_cli.finetuning.label_settings import LabelSettings
from janusdna_cli.finetuning.sequences import Chosen, Ids, SequenceStore, strandless_digest
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.labelled.encoding import Encoding, encoding_of, is_number
from janusdna_cli.labelled.item import Item
from janusdna_cli.labelled.opening import Source, open_items
from janusdna_cli.labelled.splitting import Places, Split, by_contig, by_part, folds, leaks, random_split
from janusdna_cli.reading.settings import LONGEST_WINDOW

__all__ = ["LabelledData", "Trial", "encoding_in", "read_data", "trials"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledData:
    """All items of a run, those of a test file at the end.

    Attributes:
        items: Which have a sequence and a label; the sequences themselves are in the stores.
        sequences: As a network reads them.
        alternatives: Likewise, with the variants' ALT; None where items are not variants.
        digests: Of the sequences, the same for equal ones and reverse complements.
        encoding: What their labels mean.
        tested: How many at the end are of the test file.
        passed_over: Items without a sequence, by status.
    """

    items: Sequence[Item]
    sequences: SequenceStore
    alternatives: SequenceStore | None
    digests: Sequence[bytes]
    encoding: Encoding
    tested: int
    passed_over: Counter[str]

    def labels(self, places: Places) -> npt.NDArray[Any]:
        """What is so of some, (n,) of classes, (n, outputs) else, in the units of the input."""
        return self.encoding.encode([self.items[place].label or "" for place in places])

    @property
    def digest(self) -> str:
        """Of all that can be learned here: sequences, labels and parts, in their order."""
        found = hashlib.sha256(self.sequences.digest.encode())
        found.update(b"" if self.alternatives is None else self.alternatives.digest.encode())
        for item in self.items:
            found.update(repr((item.label, item.part, item.contig)).encode())
        return found.hexdigest()

    def leaks(self, split: Split) -> dict[tuple[str, str], int]:
        """How many sequences of a part are in another one, on either strand."""
        return leaks(self.digests, split.parts())

    def dataset(self, task: LabelTask, places: Places, *, weigh: bool = False) -> Dataset:
        """Some of them as a network reads them."""
        labels = self.labels(places)
        if task.kind == "regression":
            labels = ((labels - np.array(task.mean)) / np.array(task.spread)).astype(np.float32)
        weights = np.ones(len(places), np.float32)
        if weigh and labels.ndim == 1:
            counts = np.bincount(labels.astype(np.int64), minlength=task.outputs)
            weights = (len(labels) / task.outputs / counts)[labels.astype(np.int64)].astype(np.float32)
        numbers = places.tolist()
        return Dataset(
            Chosen(self.sequences, numbers),
            labels,
            weights,
            [self.items[place].place for place in numbers],
            None if self.alternatives is None else Chosen(self.alternatives, numbers),
        )


@dataclass(frozen=True)
class Trial:
    """One training of a run.

    Attributes:
        seed: Of its chance.
        fold: Which part is tested, 1 and up; None where it is always the same.
        split: What is for what.
    """

    seed: int
    fold: int | None
    split: Split

    @property
    def name(self) -> str:
        """As its folder is called."""
        return f"seed-{self.seed}" + ("" if self.fold is None else f"-fold-{self.fold}")


def read_data(settings: LabelSettings, window: int) -> LabelledData:
    """All sequences with their labels.

    Args:
        settings: Of the run.
        window: Bases around a variant.

    Raises:
        InputError: Something about them makes a training senseless: told with the file and the place.
    """
    taken = _Taken(settings.pad_to)
    with nullcontext() if settings.fasta is None else Reference.open(settings.fasta) as genome:
        source = Source(
            path=settings.input,
            genome=genome,
            label=settings.label,
            part=settings.split,
            where=settings.row_filter,
            reference_too=settings.reference_too,
            window=window,
        )
        taken.all_of(source)
        own = len(taken.items)
        if settings.test is not None:
            taken.all_of(replace(source, path=settings.test, part=None))
    if not own:
        raise InputError(f"{settings.input}: found no sequence with a label, expected some to learn from")
    for status, count in taken.passed_over.items():
        logger.warning("%s: rows that are left out as %s: %s", settings.input, status, f"{count:,}")
    items = taken.items
    encoding = encoding_in(settings, items, source.label_columns)
    return LabelledData(
        items,
        taken.sequences,
        taken.alternatives if len(taken.alternatives) else None,
        taken.digests,
        encoding,
        len(items) - own,
        taken.passed_over,
    )


class _Taken:
    """Items that are good to learn from; the first that is not is an error.

    Args:
        pad_to: Length to which sequences are padded and cut; None for as they are.
    """

    def __init__(self, pad_to: int | None) -> None:
        self.items: list[Item] = []
        self.sequences, self.alternatives = SequenceStore(), SequenceStore()
        self.digests: list[bytes] = []
        self.passed_over: Counter[str] = Counter()
        self._pad_to = pad_to

    def all_of(self, source: Source) -> None:
        """Take an input."""
        seen: dict[str, str] = {}
        for item in open_items(source):
            if item.status not in ("ok", "empty"):
                self.passed_over[item.status] += 1
                continue
            where = f"{source.path}: {item.place}"
            _check_item(where, item, seen)
            if self._is_too_short(item):
                self.passed_over["too_short"] += 1
                continue
            ids = self._encoded(where, item.sequence)
            other = None if item.alternative is None else self._encoded(where, item.alternative)
            self.sequences.add(ids)
            if other is not None:
                self.alternatives.add(other)
            self.digests.append(strandless_digest(ids, other))
            self.items.append(replace(item, sequence="", alternative=None))

    def _is_too_short(self, item: Item) -> bool:
        """Of published data sets some have sequences of two bases."""
        sides = (item.sequence, item.alternative)
        return self._pad_to is None and any(side is not None and len(side) < MIN_LENGTH for side in sides)

    def _encoded(self, where: str, sequence: str) -> Ids:
        if self._pad_to is None and len(sequence) > LONGEST_WINDOW:
            raise InputError(
                f"{where}: the sequence has {len(sequence):,} bases, expected at most {LONGEST_WINDOW:,}"
            )
        try:
            return encoded(sequence, self._pad_to)
        except SequenceError as error:
            raise InputError(f"{where}: {error}") from None


def _check_item(where: str, item: Item, seen: dict[str, str]) -> None:
    if not item.sequence:
        raise InputError(f"{where}: the sequence is empty; remove it")
    if item.label is None or item.label.strip().lower() in ("", "nan", "na", "."):
        raise InputError(f"{where}: the label is missing; remove the sequence, or name another --label")
    name = item.keys.get("id")
    if name is not None and "alt" not in item.keys:
        if name in seen:
            raise InputError(f"{where}: the id {name!r} is that of {seen[name]}, too; give each its own")
        seen[name] = item.place


def encoding_in(settings: LabelSettings, items: Sequence[Item], columns: Sequence[str]) -> Encoding:
    """What the labels of items mean.

    Args:
        settings: Which kind is wanted.
        items: All of them.
        columns: That the labels come from.

    Raises:
        InputError: If one means nothing, or there is one class alone.
    """
    encoding = encoding_of(settings.input, [item.label or "" for item in items], columns, settings.task)
    if encoding.kind == "regression":
        for item in items:
            if not is_number(item.label or ""):
                raise InputError(
                    f"{settings.input}: {item.place}: the label is {item.label!r}, expected a finite number"
                )
    return encoding


def trials(settings: LabelSettings, data: LabelledData) -> list[Trial]:
    """The trainings of a run: one for each seed, and for each fold.

    Raises:
        InputError: If a part has no sequences, a class is in none to learn from, or parts share sequences and
            that is not wanted.
    """
    found = []
    for seed in settings.seeds:
        splits = _splits(settings, data, seed)
        numbers = [None] if settings.folds is None else range(1, len(splits) + 1)
        found += [Trial(seed, fold, split) for fold, split in zip(numbers, splits, strict=True)]
    if settings.max_train is not None:
        found = [_fewer(trial, data, settings.max_train) for trial in found]
    for trial in found:
        _check_split(settings, data, trial)
    return found


def _fewer(trial: Trial, data: LabelledData, most: int) -> Trial:
    """A trial that learns from some of its sequences, the same share of each class."""
    train = trial.split.train
    if len(train) <= most:
        return trial
    left = random_split(
        len(train), 1 - most / len(train), trial.seed, _strata(data, train), np.array([], int)
    )
    return replace(trial, split=replace(trial.split, train=train[left.train]))


def _strata(data: LabelledData, places: Places) -> list[str | None] | None:
    """What is to be found in all parts alike."""
    if data.encoding.kind not in ("binary", "multiclass"):
        return None
    return [data.items[place].label for place in places]


def _splits(settings: LabelSettings, data: LabelledData, seed: int) -> list[Split]:
    items, count = data.items, len(data.items)
    own = count - data.tested
    test = np.arange(own, count) if data.tested else None
    strata = _strata(data, np.arange(count))
    if settings.folds is not None:
        return folds(count, settings.folds, seed, settings.valid_share, strata)
    if settings.split_by == "contig":
        split = by_contig(settings.input, items[:own], settings.valid_share, seed)
        return [split if test is None else Split(np.union1d(split.train, split.test), split.valid, test)]
    if settings.split is not None or any(item.part for item in items[:own]):
        parts = by_part(settings.input, items[:own], settings.split or "part")
        test = parts["test"] if test is None else test
        if len(parts["valid"]):
            return [Split(parts["train"], parts["valid"], test)]
        elsewhere = np.union1d(parts["test"], np.arange(own, count))
        return [random_split(count, settings.valid_share, seed, strata, elsewhere)]
    return [random_split(count, settings.valid_share, seed, strata, test)]


def _check_split(settings: LabelSettings, data: LabelledData, trial: Trial) -> None:
    path = settings.input
    if not len(trial.split.train):
        raise InputError(f"{path}: nothing is left to train on; lower --valid-share, or look at --split")
    if data.encoding.kind in ("binary", "multiclass"):
        learned = {data.items[place].label for place in trial.split.train}
        missing = [name for name in data.encoding.names if name not in learned]
        if missing:
            raise InputError(f"{path}: the class {missing[0]!r} is in none of the sequences to train on")
    for (one, other), number in data.leaks(trial.split).items():
        said = f"{path}: sequences of {other} that are in {one}, too, on either strand: {number:,}"
        if settings.strict:
            raise InputError(f"{said}; remove them, or leave --strict out")
        logger.warning("%s; what is found there is too good", said)
