"""How unusual scores are: which background tells it, and what it says."""

from __future__ import annotations

import logging
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from janusdna.reader import Model
from janusdna_cli.backgrounds.background import FEWEST, Background, Conditions
from janusdna_cli.backgrounds.keeping import fitting, named_background
from janusdna_cli.reading.opening import folder_of
from janusdna_cli.variants.questions import Values
from janusdna_cli.variants.scores import DEFAULT_SCORES, PERCENTILE, SCORES
from janusdna_cli.variants.settings import ScoreSettings

__all__ = ["PercentilesSeen", "background_of", "percentiles", "provenance_of"]

logger = logging.getLogger(__name__)


def background_of(settings: ScoreSettings, model: Model, window: int) -> Background | None:
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


def percentiles(
    background: Background, kind: str, values: Values, asked: tuple[str, ...] | None
) -> dict[str, float | None]:
    """The columns of percentiles of an allele.

    Args:
        background: What it is compared with.
        kind: The allele's class.
        values: Its scores, by column.
        asked: Names of scores, in their order; None for the default ones.
    """
    found: dict[str, float | None] = {}
    for name in DEFAULT_SCORES if asked is None else asked:
        column, value = SCORES[name].percentile, values.get(name)
        if column is not None and value is not None:
            found[column.name] = background.percentile(kind, name, value)
            found.setdefault(PERCENTILE.name, found[column.name])
    return found


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
