"""A picture of a map, of the rows of its table as they go out."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from typing import NamedTuple, Self

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

Floats = npt.NDArray[np.float64]

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
        drawn = _Drawn.of(rows, self._region, self._column)
        contig, start = rows["chrom"][0].as_py(), self._region.start
        draw_map(self._path, contig=contig, start=start, score_name=self._column, **drawn._asdict())


class _Drawn(NamedTuple):
    """The rows of a region of n bases, by base.

    Attributes:
        ids: Token ids of the reference's bases, (n,).
        logp: The model's natural log p over A, C, G, T, (n, 4).
        scores: Of the substitution by each of them, (n, 4); NaN where there is none.
        deletions: Of the base's deletion, (n,); None where there are none.
    """

    ids: npt.NDArray[np.uint8]
    logp: Floats
    scores: Floats
    deletions: Floats | None

    @classmethod
    def of(cls, rows: pa.Table, region: Region, column: str) -> Self:
        """Rows as `mutagenesis` has them, each base's deletion before its substitutions."""
        count = region.end - region.start
        value = _numbers(rows, column)
        is_deletion = np.asarray(pc.equal(pc.utf8_length(rows["ref"]), 2))
        pos, ref, alt = (rows[name].to_numpy() for name in ("pos", "ref", "alt"))
        base = pos - 1 - region.start
        base[is_deletion] = base[np.flatnonzero(is_deletion) + 1]
        ids = np.full(count, tokens.PAD, np.uint8)
        ids[base[~is_deletion]] = tokens.encode("".join(ref[~is_deletion]))
        made = ~is_deletion & (alt != ".")
        at, to = base[made], tokens.encode("".join(alt[made])) - tokens.A
        logp, scores = np.full((count, 4), np.nan), np.full((count, 4), np.nan)
        logp[at, ids[at] - tokens.A] = _numbers(rows, "ref_logp")[made]
        logp[at, to] = _numbers(rows, "alt_logp")[made]
        scores[at, to] = value[made]
        deletions = np.full(count, np.nan)
        deletions[base[is_deletion]] = value[is_deletion]
        return cls(ids, logp, scores, None if np.isnan(deletions).all() else deletions)


def _numbers(rows: pa.Table, column: str) -> Floats:
    """NaN where there is none."""
    found: Floats = rows[column].to_numpy().astype(np.float64)
    return found
