"""How unusual scores are: which background tells it, and what it says."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from janusdna.reader import Model
from janusdna_cli.backgrounds.background import FEWEST, Background, Conditions
from janusdna_cli.backgrounds.keeping import fitting, named_background
from janusdna_cli.genome.windows import Context
from janusdna_cli.reading.opening import folder_of
from janusdna_cli.variants.scores import DEFAULT_SCORES, PERCENTILE, SCORES

__all__ = ["PercentilesSeen", "background_of", "provenance_of", "with_percentiles"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)


class ComparedSettings(Protocol):
    """Of a run whose scores have percentiles."""

    @property
    def model(self) -> str | None: ...
    @property
    def background(self) -> str: ...
    @property
    def context(self) -> Context: ...
    @property
    def span(self) -> int: ...
    @property
    def both_strands(self) -> bool: ...


def background_of(settings: ComparedSettings, model: Model, window: int) -> Background | None:
    """What a run tells percentiles by.

    Raises:
        InputError: The file that is named holds no background, or one of something else.
    """
    if settings.background == "none":
        return None
    conditions = Conditions(window, settings.context, settings.span, settings.both_strands)
    name, sha256 = model.info.name, model.info.sha256
    if settings.background == "auto":
        return fitting(folder_of(settings.model), name, sha256, conditions)
    return named_background(settings.background, name, sha256, conditions)


def provenance_of(background: Background | None) -> dict[str, Any]:
    """What a table says of its background; nothing where it has none."""
    if background is None:
        return {}
    return {"background": {"alleles": background.alleles, "sha256": background.sha256}}


def with_percentiles(
    table: pa.Table,
    background: Background,
    rows_of: Mapping[str, Rows],
    asked: tuple[str, ...] | None,
) -> pa.Table:
    """A table of scores with its columns of percentiles filled.

    Args:
        table: Rows of scores, (m,).
        background: What they are compared with.
        rows_of: By class, which rows have alleles of it.
        asked: Names of scores, in their order; None for the default ones.
    """
    first = np.full(table.num_rows, np.nan)
    for name in DEFAULT_SCORES if asked is None else asked:
        column = SCORES[name].percentile
        if column is not None:
            found = _of_score(table, background, rows_of, name)
            first = np.where(np.isnan(first), found, first)
            table = _filled(table, column.name, found)
    return _filled(table, PERCENTILE.name, first)


def _of_score(table: pa.Table, background: Background, rows_of: Mapping[str, Rows], name: str) -> Floats:
    values = table[name].to_numpy().astype(np.float64)
    found = np.full(len(values), np.nan)
    for kind, rows in rows_of.items():
        shares = background.percentiles(kind, name, values[rows])
        if shares is not None:
            found[rows] = shares
    return found


def _filled(table: pa.Table, name: str, values: Floats) -> pa.Table:
    at = table.schema.get_field_index(name)
    column = pa.array(values, pa.float32(), mask=np.isnan(values))
    return table.set_column(at, table.schema.field(at), column)


class PercentilesSeen:
    """Notes scores that have no percentile though there is a background.

    Args:
        background: None where there is none.
    """

    def __init__(self, background: Background | None) -> None:
        self._background = background
        self._without = 0

    def add(self, rows: pa.Table) -> None:
        """Note rows of the table; of an ALT that is REF nothing is expected."""
        if self._background is None:
            return
        changes = pc.not_equal(rows["ref"], rows["alt"])
        for each in SCORES.values():
            if each.percentile is not None:
                is_without = pc.and_(rows[each.name].is_valid(), rows[each.percentile.name].is_null())
                self._without += pc.sum(pc.and_(is_without, changes)).as_py() or 0

    def warn(self) -> None:
        """Say how many there were."""
        if self._background is not None and self._without:
            logger.warning(
                "%s scores have no percentile: %s has fewer than %d random alleles of their class, or none",
                f"{self._without:,}", self._background.path, FEWEST,
            )  # fmt: skip
