"""How well scores tell two classes of variants apart that they were not made for.

labelled VCF, scores -> rows -> classes, groups -> AUROC and AUPRC of each score -> table, picture
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

import janusdna
from janusdna_cli.errors import InputError
from janusdna_cli.finetuning.ranking import with_intervals
from janusdna_cli.genome.streams import open_file
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.labelled.info import InfoReader, of_alt
from janusdna_cli.labelled.tables import is_parquet
from janusdna_cli.outputs.destinations import check_destination
from janusdna_cli.outputs.documents import write_json, write_text
from janusdna_cli.outputs.names import stem
from janusdna_cli.outputs.parquet_reading import ParquetReader
from janusdna_cli.suites.variant_page import as_markdown, draw
from janusdna_cli.suites.variant_settings import VariantBenchmarkSettings
from janusdna_cli.variants.scores import SCORES

__all__ = ["VariantBenchmarkSettings", "benchmark_variants"]

# Scores of score-variants, with the INFO fields that have them; and those whose lower values are positives.
_SCORES = {column.name: column.info or "" for score in SCORES.values() for column in score.columns}
_LOWER = frozenset(column.name for score in SCORES.values() if score.is_signed for column in score.columns)
_PREFIX = "INFO/"
_KEYS = ("chrom", "pos", "ref", "alt")
_RESAMPLES = 1000
_FEWEST = 2
_ALL = "all"

Floats = npt.NDArray[np.float64]
logger = logging.getLogger(__name__)


class _Row(NamedTuple):
    """An ALT, or a record without one."""

    key: tuple[str, int, str, str | None]
    info: Mapping[str, str]


def benchmark_variants(settings: VariantBenchmarkSettings) -> dict[str, Any]:
    """Compare scores by how well they tell two classes apart, and write table and picture.

    Returns:
        What `benchmark.json` holds.

    Raises:
        InputError: If a file cannot be read, a field is missing, or there are not two classes.
    """
    folder = Path(settings.output or f"{stem(settings.vcf)}.janusdna-benchmark")
    for name in ("benchmark.json", "benchmark.md", "auroc.png") if folder.is_dir() else ():
        check_destination(str(folder / name), overwrite=settings.overwrite)
    rows = list(_rows(settings.vcf))
    is_positive, counts = _classes(settings, rows)
    scores = _scores(settings, rows)
    groups = _groups(settings, rows)
    found = [
        {"group": group, "score": name, **_compared(values, is_positive, members, settings.seed)}
        for group, members in groups.items()
        for name, values in scores.items()
    ]
    record = {
        "title": f"{Path(settings.vcf).name}: {settings.label}",
        "version": janusdna.__version__,
        "label": settings.label,
        "classes": counts,
        "lower_is_positive": [name for name in scores if name in _LOWER],
        "found": found,
    }
    write_json(folder / "benchmark.json", record)
    write_text(folder / "benchmark.md", as_markdown(record))
    draw(record, str(folder / "auroc.png"))
    logger.info("%d scores, %d groups -> %s", len(scores), len(groups), folder / "benchmark.md")
    return record


def _rows(path: str) -> Iterator[_Row]:
    """As score-variants has them."""
    with VariantReader.open(path, keep_records=True) as reader:
        infos = InfoReader(reader, path)
        for variant in reader:
            info = infos.of(variant)
            count = len(variant.alts)
            for which, alt in enumerate(variant.alts or (None,)):
                own = {key: of_alt(value, which, count) for key, value in info.items()}
                yield _Row((variant.chrom, variant.pos, variant.ref, alt), own)


def _scores(settings: VariantBenchmarkSettings, rows: Sequence[_Row]) -> dict[str, Floats]:
    """By name, (n,) each, NaN where there is none; higher is the positive."""
    found: dict[str, Floats] = {}
    if settings.scores is not None and is_parquet(settings.scores):
        found = _of_table(settings.scores, rows)
    else:
        source = rows if settings.scores is None else list(_rows(settings.scores))
        _check_same(settings, [row.key for row in source], rows)
        for name, field in _SCORES.items():
            if any(field in row.info for row in source):
                found[name] = _numbers(source, field)
    for name in settings.info:
        field = name.removeprefix(_PREFIX)
        if not any(field in row.info for row in rows):
            raise InputError(f"{settings.vcf}: --info {name}: no record has it")
        found[name] = _numbers(rows, field)
    if not found:
        raise InputError(
            f"{settings.vcf}: has no scores; make them with `janusdna score-variants` and pass --scores, "
            "or name other fields with --info"
        )
    there = {name: values for name, values in found.items() if not np.isnan(values).all()}
    return {name: -values if name in _LOWER else values for name, values in there.items()}


def _of_table(path: str, rows: Sequence[_Row]) -> dict[str, Floats]:
    with open_file(path) as file:
        reader = ParquetReader(file)
        names = [name for name in reader.schema.names if name in _SCORES]
        frames = [reader.group(number).to_pandas() for number in range(reader.metadata.num_row_groups)]
    table = pd.concat(frames, ignore_index=True)
    if missing := [key for key in _KEYS if key not in table.columns]:
        raise InputError(f"{path}: no column {missing[0]}, expected a table of score-variants")
    keys = list(
        table[list(_KEYS)].astype(object).where(table[list(_KEYS)].notna(), None).itertuples(index=False)
    )
    _check_rows(path, [tuple(key) for key in keys], rows)
    return {name: table[name].to_numpy(np.float64) for name in names}


def _check_same(settings: VariantBenchmarkSettings, keys: Sequence[Any], rows: Sequence[_Row]) -> None:
    if settings.scores is not None:
        _check_rows(settings.scores, keys, rows)


def _check_rows(path: str, keys: Sequence[Any], rows: Sequence[_Row]) -> None:
    if len(keys) != len(rows):
        raise InputError(
            f"{path}: has {len(keys):,} rows, expected {len(rows):,}, one for each ALT of the VCF"
        )
    for number, (key, row) in enumerate(zip(keys, rows, strict=True), 1):
        if tuple(key) != row.key:
            found, expected = (":".join(map(str, one)) for one in (key, row.key))
            raise InputError(f"{path}: row {number:,} is {found}, expected {expected}: is it of this VCF?")


def _numbers(rows: Sequence[_Row], field: str) -> Floats:
    def number(text: str | None) -> float:
        try:
            return float(text) if text not in (None, ".", "") else float("nan")
        except ValueError:
            return float("nan")

    return np.array([number(row.info.get(field)) for row in rows])


def _classes(
    settings: VariantBenchmarkSettings, rows: Sequence[_Row]
) -> tuple[npt.NDArray[np.float64], dict[str, int]]:
    """1 of positives, 0 of negatives, NaN of others; and how many have which value."""
    field = settings.label.removeprefix(_PREFIX)
    labels = [row.info.get(field) for row in rows]
    counts = Counter(label for label in labels if label is not None)
    positive, negative = set(settings.positive), set(settings.negative)
    if not positive and not negative:
        if len(counts) != _FEWEST:
            shown = ", ".join(f"{value} ({count:,})" for value, count in counts.most_common(8)) or "none"
            raise InputError(
                f"{settings.vcf}: {settings.label} has {len(counts)} values ({shown}), expected two; "
                "say which count with --positive and --negative"
            )
        low, high = sorted(counts)
        positive, negative = {high}, {low}
    positive = positive or set(counts) - negative
    negative = negative or set(counts) - positive
    for option, values in (("--positive", positive), ("--negative", negative)):
        if not any(value in counts for value in values):
            raise InputError(
                f"{settings.vcf}: {option}: no record has {settings.label} {', '.join(sorted(values))}"
            )
    code = dict.fromkeys(negative, 0.0) | dict.fromkeys(positive, 1.0)
    found = np.array([code.get(label or "", np.nan) for label in labels])
    return found, {"positive": int((found == 1).sum()), "negative": int((found == 0).sum()),
                   "neither": int(np.isnan(found).sum())}  # fmt: skip


def _groups(settings: VariantBenchmarkSettings, rows: Sequence[_Row]) -> dict[str, npt.NDArray[np.bool_]]:
    groups = {_ALL: np.ones(len(rows), bool)}
    for name in settings.by:
        values = np.array([row.info.get(name.removeprefix(_PREFIX), "") for row in rows])
        for value in sorted(set(values)):
            groups[f"{name.removeprefix(_PREFIX)}={value or '.'}"] = values == value
    return groups


def _compared(
    values: Floats, is_positive: Floats, members: npt.NDArray[np.bool_], seed: int
) -> dict[str, Any]:
    known = members & ~np.isnan(values)
    positive, negative = values[known & (is_positive == 1)], values[known & (is_positive == 0)]
    missing = int((members & ~np.isnan(is_positive) & np.isnan(values)).sum())
    counted = {"positives": len(positive), "negatives": len(negative), "without": missing}
    if min(len(positive), len(negative)) < _FEWEST:
        return counted | {"auroc": None, "auprc": None}
    found = with_intervals(positive, negative, resamples=_RESAMPLES, seed=seed)
    return counted | {
        name.lower(): dict(zip(("value", "low", "high"), found[name], strict=True)) for name in found
    }
