"""The task: random alleles of a genome, scored as any others, to a background.

places -> random alleles, by class -> a VCF -> score-variants -> a table -> quantiles by class -> JSON
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from janusdna.reader import open_checkpoint
from janusdna_cli.backgrounds.background import (
    FEWEST,
    Background,
    Conditions,
    as_json_text,
    read_background,
    summarise,
)
from janusdna_cli.backgrounds.keeping import place_to_keep
from janusdna_cli.calibration.alleles import RandomAlleles, wanted
from janusdna_cli.calibration.places import Places
from janusdna_cli.calibration.settings import CalibrateSettings
from janusdna_cli.errors import InputError
from janusdna_cli.genome.alleles import Allele
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.outputs.destinations import check_destination, named_beside, reported, written_aside
from janusdna_cli.outputs.documents import write_text
from janusdna_cli.outputs.parquet import METADATA_KEY
from janusdna_cli.outputs.parquet_reading import ParquetReader
from janusdna_cli.reading.opening import folder_of, window_of
from janusdna_cli.runs.identity import file_identity
from janusdna_cli.runs.settings import RunSettings
from janusdna_cli.variants.scoring import ScoreSettings, score_variants

__all__ = ["CalibrateSettings", "calibrate"]

_PROVENANCE = ("version", "command", "reference", "contig_md5", "contigs_md5", "dtype", "device")
_MOST_SHOWN = 6
_HEADER = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"

logger = logging.getLogger(__name__)


def calibrate(settings: CalibrateSettings) -> Background:
    """Score random alleles and keep the quantiles of their scores.

    Returns:
        What was written.

    Raises:
        InputError: If a file cannot be read or written, or no allele can be drawn.
        CheckpointError: If the model cannot be used.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("calibrate: runs as one process, not under torchrun: take --workers")
    folder = folder_of(settings.model)
    checkpoint = open_checkpoint(folder if settings.model is None else settings.model)
    window = window_of(settings, checkpoint.config.trained_length)
    conditions = Conditions(window, settings.context, settings.span, settings.both_strands)
    output = settings.output or _own_place(place_to_keep(folder, checkpoint.sha256, conditions))
    check_destination(output, overwrite=settings.overwrite)
    with _work_folder(Path(output)) as work:
        vcf, scores = work / "alleles.vcf", work / "scores.parquet"
        _write_alleles(settings, vcf, window)
        score_variants(_score_settings(settings, vcf, scores))
        write_text(Path(output), _background_text(settings, scores, conditions))
    found = read_background(output)
    _tell(found)
    return found


def _own_place(path: Path) -> str:
    """Its folder made."""
    with reported(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


@contextmanager
def _work_folder(output: Path) -> Iterator[Path]:
    """Beside the output; it stays where a run that was cut off can go on."""
    work = named_beside(output.resolve(), after=".work")
    with reported(str(work)):
        work.mkdir(exist_ok=True)
    try:
        yield work
    except BaseException:
        if not any(work.glob("scores.parquet*")):
            shutil.rmtree(work, ignore_errors=True)
        raise
    shutil.rmtree(work, ignore_errors=True)


def _write_alleles(settings: CalibrateSettings, vcf: Path, window: int) -> None:
    """A VCF of random alleles, each named as its class; the same one of the same settings."""
    longest = max(1, window // 4)
    with Reference.open(settings.fasta) as reference:
        places = Places(reference, window, settings.intervals)
        alleles = RandomAlleles(
            reference, places, wanted(settings.alleles, longest),
            longest=longest, around=settings.span, seed=settings.seed,
        )  # fmt: skip
        with written_aside(str(vcf), overwrite=True) as aside, aside.open("w", encoding="utf-8") as file:
            file.write(_HEADER)
            file.writelines(_record(name, allele, reference) for name, allele in alleles)


def _record(name: str, allele: Allele, reference: Reference) -> str:
    """A VCF line; with the base before, where there is no REF or no ALT."""
    start, before = allele.start, b""
    if not allele.ref or not allele.alt:
        start -= 1
        before = reference.fetch(allele.contig, start, allele.start)
    ref, alt = ((before + bases).decode() for bases in (allele.ref, allele.alt))
    return f"{allele.contig}\t{start + 1}\t{name}\t{ref}\t{alt}\t.\t.\t.\n"


def _score_settings(settings: CalibrateSettings, vcf: Path, scores: Path) -> ScoreSettings:
    shared = {field.name: getattr(settings, field.name) for field in dataclasses.fields(RunSettings)}
    own = {"vcf": str(vcf), "fasta": settings.fasta, "output": str(scores), "background": "none"}
    asked = {"scores": settings.scores, "span": settings.span, "context": settings.context}
    return ScoreSettings(**shared | own | asked)


def _background_text(settings: CalibrateSettings, scores: Path, conditions: Conditions) -> str:
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    with scores.open("rb") as file:
        reader = ParquetReader(file)
        metadata = json.loads(reader.metadata.metadata[METADATA_KEY.encode()])
        for rows in reader.groups(["id", "status", *settings.scores]):
            table = rows.to_pandas()
            for name, members in table[table["status"] == "ok"].groupby("id"):
                for score in settings.scores:
                    found[str(name)][score].append(members[score].to_numpy(np.float32))
    columns = {
        name: {score: np.concatenate(parts) for score, parts in found[name].items()}
        for name in wanted(settings.alleles, max(1, conditions.window // 4))
    }
    intervals = None if settings.intervals is None else file_identity(settings.intervals)
    made = {name: metadata[name] for name in _PROVENANCE if name in metadata}
    made |= {"intervals": intervals, "seed": settings.seed, "asked": settings.alleles}
    return as_json_text(metadata["model"], conditions, made, summarise(columns))


def _tell(background: Background) -> None:
    """What was made, and what it does not tell of."""
    told = len(background.counts) - len(background.wanting)
    logger.info("%s random alleles in %d classes -> %s", f"{background.alleles:,}", told, background.path)
    if wanting := background.wanting:
        shown = ", ".join(f"{name} ({background.counts[name]})" for name in wanting[:_MOST_SHOWN])
        more = f" and {len(wanting) - _MOST_SHOWN} more" if len(wanting) > _MOST_SHOWN else ""
        logger.warning("fewer than %d random alleles, so no percentiles, of %s%s", FEWEST, shown, more)
