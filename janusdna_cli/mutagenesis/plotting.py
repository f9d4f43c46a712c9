"""A picture of a map, of the rows of its table as they go out."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from janusdna import tokens
from janusdna_cli.errors import InputError
from janusdna_cli.genome.bed import Region
from janusdna_cli.mutagenesis.picture import check_length, draw_map
from janusdna_cli.mutagenesis.settings import MutagenesisSettings
from janusdna_cli.outputs.picture_formats import check_picture
from janusdna_cli.runs.target import Target
from janusdna_cli.variants.scores import DEFAULT_SCORES, SCORES

__all__ = ["Map"]

_COLUMNS = ("chrom", "pos", "ref", "alt", "ref_logp", "alt_logp")

logger = logging.getLogger(__name__)


class Map:
    """Takes the rows of a region, and draws them.

    Args:
        path: Where to.
        region: Which.
        column: The score that is drawn.

    Raises:
        InputError: The region is longer than a picture can show.
    """

    def __init__(self, path: str, region: Region, column: str) -> None:
        name = f"{region.chrom}:{region.start + 1:,}-{region.end:,}"
        check_length(name, region.end - region.start)
        self._path = path
        self._region = region
        self._column = column
        self._taken: list[pa.Table] = []

    @classmethod
    def of(cls, settings: MutagenesisSettings, regions: Iterable[Region], target: Target) -> Self:
        """The one that settings ask for.

        Args:
            settings: Which have a place for it.
            regions: What is scored.
            target: Where the table goes.

        Raises:
            InputError: There is not one region, or it is too long; the table is a part.
        """
        if settings.regions == "-":
            raise InputError("--plot: cannot be drawn of standard input; name the region with -r")
        if target.shard is not None or target.is_split:
            raise InputError("--plot: a part of the table has a part of the map; leave out --plot or --shard")
        first = list(itertools.islice(regions, 2))
        if len(first) != 1:
            found = "none" if not first else "more than one"
            raise InputError(f"--plot: a picture shows one region, found {found}; name it with -r")
        check_picture(str(settings.plot), overwrite=settings.overwrite)
        asked = settings.scores or DEFAULT_SCORES
        return cls(str(settings.plot), first[0], SCORES[asked[0]].columns[0].name)

    def add(self, rows: pa.Table) -> None:
        """Take some rows of the table, in order."""
        self._taken.append(rows.select(dict.fromkeys((*_COLUMNS, self._column))))

    def draw(self) -> None:
        """Draw all rows.

        Raises:
            InputError: The picture cannot be written.
        """
        rows = pa.concat_tables(self._taken) if self._taken else None
        if rows is None or rows["ref_logp"].null_count == rows.num_rows:
            logger.warning("%s: is not drawn: no base was scored in this run", self._path)
            return
        count = self._region.end - self._region.start
        is_deletion = np.asarray(pc.equal(pc.utf8_length(rows["ref"]), 2))
        pos, ref, alt = (rows[name].to_numpy() for name in ("pos", "ref", "alt"))
        base = pos - 1 - self._region.start
        base[is_deletion] = base[
            np.flatnonzero(is_deletion) + 1
        ]  # that of the substitutions it stands before
        ids = np.full(count, tokens.PAD, np.uint8)
        ids[base[~is_deletion]] = tokens.encode("".join(ref[~is_deletion]))
        made = ~is_deletion & (alt != ".")
        to = tokens.encode("".join(alt[made])) - tokens.A
        logp, scores = np.full((count, 4), np.nan), np.full((count, 4), np.nan)
        logp[base[made], ids[base[made]] - tokens.A] = _numbers(rows, "ref_logp")[made]
        logp[base[made], to] = _numbers(rows, "alt_logp")[made]
        scores[base[made], to] = _numbers(rows, self._column)[made]
        deletions = np.full(count, np.nan)
        deletions[base[is_deletion]] = _numbers(rows, self._column)[is_deletion]
        draw_map(
            self._path,
            contig=rows["chrom"][0].as_py(),
            start=self._region.start,
            ids=ids,
            logp=logp,
            scores=scores,
            deletions=None if np.isnan(deletions).all() else deletions,
            score_name=self._column,
        )


def _numbers(rows: pa.Table, column: str) -> npt.NDArray[np.float64]:
    """NaN where there is none."""
    found: npt.NDArray[np.float64] = rows[column].to_numpy().astype(np.float64)
    return found
