"""Embeddings that `embed` wrote, with labels of their own or from a table beside them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from janusdna_cli.errors import InputError
from janusdna_cli.finetuning.data import LabelledData, encoding_in
from janusdna_cli.finetuning.probe_settings import ProbeSettings
from janusdna_cli.finetuning.sequences import SequenceStore
from janusdna_cli.genome.streams import open_file
from janusdna_cli.labelled.item import Item
from janusdna_cli.labelled.tables import is_parquet, read_frame
from janusdna_cli.outputs.parquet_reading import ParquetReader

__all__ = ["EmbeddedInput", "holds_embeddings", "read_embeddings"]

_EMBEDDING = "embedding"
_PLACE = ["chrom", "start", "end"]
_OK = "ok"


class EmbeddedInput(NamedTuple):
    """Embeddings and what is so of them.

    Attributes:
        data: The items, with labels and without sequences.
        features: Of each, (n, width).
        sha256: Of the weights that made them; None where the table does not tell.
    """

    data: LabelledData
    features: npt.NDArray[np.float64]
    sha256: str | None


def holds_embeddings(path: str) -> bool:
    """Whether a file is a table that `embed` wrote."""
    if not is_parquet(path):
        return False
    with open_file(path) as file:
        return _EMBEDDING in ParquetReader(file).schema.names


def read_embeddings(settings: ProbeSettings) -> EmbeddedInput:
    """The rows of a table of embeddings that have a label.

    Raises:
        InputError: If the table is one of bases, a label is missing, or the tables have no key in common.
    """
    table, sha256 = _table(settings.input)
    if "pos" in table.columns:
        raise InputError(
            f"{settings.input}: has one row a base, expected one a region: embed with another --pool"
        )
    labels, columns = _labels(settings, table)
    is_read = (table["status"] == _OK).to_numpy()
    passed_over = Counter(table["status"][~is_read].tolist())
    items = []
    told = table[[*_PLACE, "name"]]
    places = told.astype(object).where(told.notna(), None).itertuples(index=False, name=None)
    for row, (keys, label) in enumerate(zip(places, labels, strict=True), 1):
        if is_read[row - 1]:
            items.append(_item(settings.input, row, keys, label))
    if not items:
        raise InputError(f"{settings.input}: found no embedding, expected some to learn from")
    features = np.stack([np.asarray(one, np.float64) for one in table[_EMBEDDING][is_read]])
    digests = [hashlib.blake2b(one.tobytes(), digest_size=16).digest() for one in features]
    encoding = encoding_in(settings, items, columns)
    data = LabelledData(items, SequenceStore(), None, digests, encoding, 0, passed_over)
    return EmbeddedInput(data, features, sha256)


def _table(path: str) -> tuple[pd.DataFrame, str | None]:
    with open_file(path) as file:
        reader = ParquetReader(file)
        groups = [reader.group(number).to_pandas() for number in range(reader.metadata.num_row_groups)]
        told = (reader.schema.metadata or {}).get(b"janusdna")
    if not groups:
        raise InputError(f"{path}: found no row, expected embeddings")
    model = json.loads(told).get("model", {}) if told else {}
    return pd.concat(groups, ignore_index=True), model.get("sha256")


def _labels(settings: ProbeSettings, table: pd.DataFrame) -> tuple[list[str | None], list[str]]:
    """Of each row, and the columns that they come from."""
    columns = [name.strip() for name in (settings.label or "label").split(",")]
    path = settings.input if settings.labels is None else settings.labels
    frame = table if settings.labels is None else read_frame(settings.labels)
    for name in columns:
        if name not in frame.columns:
            found = ", ".join(str(one) for one in frame.columns if one != _EMBEDDING)
            hint = "" if settings.labels is not None else "; pass a table of labels with --labels"
            raise InputError(f"{path}: --label {name}: no such column, found {found}{hint}")
    together = frame[columns].astype(str).agg(",".join, axis=1)
    if settings.labels is None:
        return together.tolist(), columns
    keys, named = _keys(table, frame, settings)
    if named.duplicated().any():
        again = named[named.duplicated()].iloc[0]
        raise InputError(f"{path}: {again!r} is there more than once, expected one label each")
    known: Mapping[Any, str] = dict(zip(named, together, strict=True))
    return [known.get(key) for key in keys], columns


def _keys(
    table: pd.DataFrame, frame: pd.DataFrame, settings: ProbeSettings
) -> tuple[pd.Series[str], pd.Series[str]]:
    """What rows of both tables are told by."""
    name = next((name for name in ("name", "id") if name in frame.columns), None)
    if name is not None:
        # Of a record of a FASTA, which is read whole, the contig is the name.
        return table["name"].fillna(table["chrom"]).astype(str), frame[name].astype(str)
    if set(_PLACE) <= set(frame.columns):
        return (one[_PLACE].astype(str).agg(":".join, axis=1) for one in (table, frame))  # type: ignore[return-value]
    raise InputError(
        f"{settings.labels}: found no column name or id, and none of chrom, start and end, "
        f"expected what tells the rows of {settings.input}"
    )


def _item(path: str, row: int, place: tuple[str, int, int, str | None], label: str | None) -> Item:
    chrom, start, end, name = place
    if label is None or label.strip().lower() in ("", "nan", "none"):
        named = name or f"{chrom}:{start}-{end}"
        raise InputError(f"{path}: row {row}: {named} has no label, expected one for each embedding")
    keys = {"chrom": chrom, "start": start, "end": end, "name": name}
    return Item(f"row {row}", keys, "", label=label, contig=chrom)
